#include "debug/answers.hpp"

#include <charconv>
#include <string>

#include "http/status.hpp"
#include "task/error.hpp"

namespace quoll::debug {
namespace {

constexpr std::string_view kTasks = "X-Quoll-Dump-Tasks";
constexpr std::string_view kDuration = "X-Quoll-Dump-Duration-Us";
constexpr std::string_view kLongestSlice = "X-Quoll-Dump-Longest-Slice-Us";
constexpr std::string_view kComplete = "X-Quoll-Dump-Complete";
constexpr std::string_view kSilent = "X-Quoll-Dump-Silent-Workers";
constexpr std::int64_t kSecondsMax = 24 * 3600;

std::string microseconds(std::chrono::nanoseconds duration) { return std::to_string(duration.count() / 1000); }

// "worker-1 (running 17), worker-3"
std::string silent_workers(const WalkFacts& facts) {
  std::string text;
  for (const SilentWorker& worker : facts.silent) {
    if (!text.empty()) text += ", ";
    text += worker.name;
    if (worker.running_id != 0) text += " (running " + std::to_string(worker.running_id) + ")";
  }
  return text;
}

template <typename F>
void for_each_fact(const WalkFacts& facts, F set) {
  set(kTasks, std::to_string(facts.tasks));
  set(kDuration, microseconds(facts.duration));
  set(kLongestSlice, microseconds(facts.longest_slice));
  set(kComplete, facts.complete() ? "true" : "false");
  if (!facts.complete()) set(kSilent, silent_workers(facts));
}

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

task::Task<void> answer(http::Response& response, task::Task<void> handler) {
  int status = 0;
  std::string message;
  try {
    co_await std::move(handler);
  } catch (const Error& error) {
    if (response.headers_sent()) throw;
    status = http::status_of(error);
    message = error.message() + "\n";
  }
  if (status == 0) co_return;
  response.set_status(status);
  response.set_header("X-Go-Pprof", "1");
  set_nosniff(response);
  co_await response.send(message, kPlainText);
}

DumpOptions dump_options_of(const http::Request& request) {
  return parse_dump_options([&request](std::string_view name) { return request.query(name); });
}

int debug_level_of(const http::Request& request, int by_default) {
  const std::optional<std::string> text = request.query("debug");
  if (!text || text->empty()) return by_default;
  const std::optional<std::int64_t> value = integer(*text);
  if (!value || *value < 0 || *value > 3) {
    throw Error(ErrorClass::kInvalidArgument, "invalid value for \"debug\" - must be 0, 1, 2 or 3");
  }
  return static_cast<int>(*value);
}

std::chrono::seconds delta_of(const http::Request& request) {
  const std::optional<std::string> text = request.query("seconds");
  if (!text || text->empty()) return std::chrono::seconds(0);
  const std::optional<std::int64_t> value = integer(*text);
  if (!value || *value <= 0 || *value > kSecondsMax) {
    throw Error(ErrorClass::kInvalidArgument, "invalid value for \"seconds\" - must be a positive integer");
  }
  return std::chrono::seconds(*value);
}

void announce_facts(http::Response& response) {
  std::string names;
  for (std::string_view name : {kTasks, kDuration, kLongestSlice, kComplete, kSilent}) {
    names.append(names.empty() ? "" : ", ").append(name);
  }
  response.set_header("Trailer", names);
}

void set_facts_as_trailers(http::Response& response, const WalkFacts& facts) {
  for_each_fact(facts, [&](std::string_view name, std::string_view value) { response.set_trailer(name, value); });
}

void set_facts_as_headers(http::Response& response, const WalkFacts& facts) {
  for_each_fact(facts, [&](std::string_view name, std::string_view value) { response.set_header(name, value); });
}

void set_nosniff(http::Response& response) { response.set_header("X-Content-Type-Options", "nosniff"); }

task::Task<void> write_piece(http::Response& response, std::string_view piece, std::string_view content_type) {
  if (!response.headers_sent()) {
    set_nosniff(response);
    announce_facts(response);
    co_await response.start_stream(content_type);
  }
  if (!piece.empty()) co_await response.write(piece);
}

task::Task<void> end_stream(http::Response& response, const WalkFacts& facts, std::string_view content_type) {
  if (!response.headers_sent()) co_await write_piece(response, {}, content_type);
  set_facts_as_trailers(response, facts);
  co_await response.finish();
}

}  // namespace quoll::debug
