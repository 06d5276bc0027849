#include "api/json_body.hpp"

#include "task/error.hpp"

namespace quoll::api {

task::Task<nlohmann::json> read_json(http::Request& request) {
  const std::string text = co_await request.read_body_all(kJsonBodyBytesMax);
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) {
    throw Error(ErrorClass::kInvalidArgument,
                text.empty() ? "invalid JSON: the body is empty" : "invalid JSON: the body is not a JSON object");
  }
  co_return json;
}

std::string to_text(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

task::Task<void> send_json(http::Response& response, int status, const nlohmann::json& json) {
  response.set_status(status);
  const std::string text = to_text(json);
  co_await response.send(text, "application/json");
}

}  // namespace quoll::api
