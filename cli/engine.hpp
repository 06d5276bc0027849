// Engine: one connection to a daemon, and the daemon's answers as values or as errors with its own words.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/client.hpp"
#include "task/error.hpp"
#include "task/task.hpp"

namespace quoll::cli {

// The daemon cannot be reached; the message says where it was looked for and how it is started.
class Unreachable : public Error {
 public:
  using Error::Error;
};

// "?a=1&b=x%20y" of the pairs whose values are not empty; "" where there is none.
std::string query_string(const std::vector<std::pair<std::string_view, std::string>>& pairs);

// Requests go one after the other: what streams beside another one needs an Engine of its own.
//
// Thread: the worker of the task that uses it first.
// Cancel: a cancelled request closes the connection, which ends it in the daemon too.
// Errors: Unreachable; an Error with the daemon's message for an answer of 400 and above.
class Engine {
 public:
  // Errors: Error{kInvalidArgument} for what is no host.
  explicit Engine(std::string host);

  // The head of an answer below 400; its body is the caller's to read before the next request.
  task::Task<http::ClientResponse> open(http::ClientRequest request);
  task::Task<nlohmann::json> get(std::string target);
  task::Task<nlohmann::json> post(std::string target, nlohmann::json body);
  // Without an answer that matters; returns the status.
  task::Task<int> act(std::string method, std::string target);
  task::Task<int> act(std::string method, std::string target, nlohmann::json body);

  // Turns the connection into a raw stream both ways, which the rest is for.
  task::Task<void> upgrade(std::string target, nlohmann::json body);
  task::Task<std::size_t> read_raw(std::span<char> buffer) { return client_.read_raw(buffer); }  // 0: the end
  task::Task<void> write_raw(std::string_view bytes) { return client_.write_raw(bytes); }
  void shutdown_write() { client_.shutdown_write(); }

 private:
  task::Task<nlohmann::json> read_json(http::ClientRequest request);

  const std::string host_;
  http::Client client_;
};

}  // namespace quoll::cli
