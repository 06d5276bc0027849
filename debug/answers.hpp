// What the handlers under /debug share: Go's headers, errors as plain text, and a dump's facts.
#pragma once

#include <string_view>

#include "debug/options.hpp"
#include "debug/walk.hpp"
#include "http/request.hpp"
#include "http/response.hpp"
#include "task/task.hpp"

namespace quoll::debug {

inline constexpr std::string_view kPlainText = "text/plain; charset=utf-8";
inline constexpr std::string_view kOctets = "application/octet-stream";
inline constexpr std::string_view kJson = "application/json";

// Runs a handler. An Error that it throws before its answer becomes a line of text with Go's mark.
task::Task<void> answer(http::Response& response, task::Task<void> handler);

DumpOptions dump_options_of(const http::Request& request);
// Of `debug`: Error{kInvalidArgument} but for 0 to 3.
int debug_level_of(const http::Request& request, int by_default);
// Of `seconds`; 0 where it is absent. Errors: Error{kInvalidArgument}.
std::chrono::seconds delta_of(const http::Request& request);

// What a stream's facts go into once it has ended, and the announcement of it.
void announce_facts(http::Response& response);
void set_facts_as_trailers(http::Response& response, const WalkFacts& facts);
void set_facts_as_headers(http::Response& response, const WalkFacts& facts);
void set_nosniff(http::Response& response);

// Writes a piece of a streamed dump; the first one sends the headers.
task::Task<void> write_piece(http::Response& response, std::string_view piece, std::string_view content_type);
// Sends the headers where no piece came.
task::Task<void> end_stream(http::Response& response, const WalkFacts& facts, std::string_view content_type);

}  // namespace quoll::debug
