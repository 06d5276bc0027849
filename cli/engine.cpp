#include "cli/engine.hpp"

#include <nlohmann/json.hpp>

#include "http/status.hpp"
#include "http/uri.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kErrorBytesMax = 64 * 1024;
constexpr std::size_t kAnswerBytesMax = std::size_t{1} << 30;  // a list of a million tasks

// Docker's {"message": ...}, or a line of text as /debug sends it.
std::string message_of(const http::ClientResponse& response, std::string body) {
  const json answer = json::parse(body, nullptr, false);
  if (answer.is_object() && answer.contains("message") && answer["message"].is_string()) {
    return answer["message"].get<std::string>();
  }
  body.erase(body.find_last_not_of(" \r\n") + 1);
  if (!body.empty()) return body;
  return "the daemon answered " + std::to_string(response.status()) + " " + std::string(response.reason());
}

}  // namespace

std::string query_string(const std::vector<std::pair<std::string_view, std::string>>& pairs) {
  std::string query;
  for (const auto& [name, value] : pairs) {
    if (value.empty()) continue;
    query += query.empty() ? '?' : '&';
    query.append(name).append("=").append(http::percent_encode(value));
  }
  return query;
}

Engine::Engine(std::string host) : host_(std::move(host)), client_(http::Client::from_url(host_)) {}

task::Task<http::ClientResponse> Engine::open(http::ClientRequest request) {
  std::optional<http::ClientResponse> response;
  try {
    response = co_await client_.request(std::move(request));
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kUnavailable) throw;
    throw Unreachable(ErrorClass::kUnavailable, "cannot reach the daemon at " + host_ + ": " + error.message() +
                                                    " (is quolld running? start it with: quolld --host " + host_ + ")");
  }
  if (response->status() < 400) co_return std::move(*response);
  std::string body = co_await response->read_body_all(kErrorBytesMax);
  throw Error(http::class_of(response->status()), message_of(*response, std::move(body)));
}

task::Task<json> Engine::read_json(http::ClientRequest request) {
  http::ClientResponse response = co_await open(std::move(request));
  const std::string body = co_await response.read_body_all(kAnswerBytesMax);
  json answer = json::parse(body, nullptr, false);
  if (answer.is_discarded()) throw Error(ErrorClass::kUnavailable, "the daemon's answer is not JSON");
  co_return answer;
}

task::Task<json> Engine::get(std::string target) {
  http::ClientRequest request{.method = "GET", .target = std::move(target)};
  co_return co_await read_json(std::move(request));
}

task::Task<json> Engine::post(std::string target, json body) {
  http::ClientRequest request{.method = "POST", .target = std::move(target)};
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  co_return co_await read_json(std::move(request));
}

task::Task<int> Engine::act(std::string method, std::string target, json body) {
  http::ClientRequest request{.method = std::move(method), .target = std::move(target)};
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  http::ClientResponse response = co_await open(std::move(request));
  co_await response.read_body_all();
  co_return response.status();
}

task::Task<void> Engine::upgrade(std::string target, json body) {
  http::ClientRequest request{.method = "POST", .target = std::move(target)};
  request.headers = {{"Content-Type", "application/json"}, {"Connection", "Upgrade"}, {"Upgrade", "tcp"}};
  if (!body.is_null()) request.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  co_await open(std::move(request));
}

task::Task<int> Engine::act(std::string method, std::string target) {
  http::ClientRequest request{.method = std::move(method), .target = std::move(target)};
  http::ClientResponse response = co_await open(std::move(request));
  co_await response.read_body_all();
  co_return response.status();
}

}  // namespace quoll::cli
