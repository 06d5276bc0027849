#include "mgr/registry/registry_error.hpp"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "mgr/image/image.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::size_t kErrorBodyMax = 64 * 1024;

ErrorClass class_of(int status) {
  switch (status) {
    case 400:
      return ErrorClass::kInvalidArgument;
    case 401:
      return ErrorClass::kUnauthenticated;
    case 403:
      return ErrorClass::kPermissionDenied;
    case 404:
      return ErrorClass::kNotFound;
    case 429:
      return ErrorClass::kUnavailable;
    default:
      return status >= 500 ? ErrorClass::kUnavailable : ErrorClass::kInternal;
  }
}

// "code: message" of each entry, where the code is written in words: "manifest unknown: manifest unknown".
std::string message_in(const json& body) {
  std::string text;
  const auto errors = body.is_object() ? body.find("errors") : body.end();
  if (!body.is_object() || errors == body.end() || !errors->is_array()) return json_string(body, "message");
  for (const json& entry : *errors) {
    std::string code = json_string(entry, "code");
    std::ranges::transform(code, code.begin(), [](char c) {
      return c == '_' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    const std::string message = json_string(entry, "message");
    if (!text.empty()) text += "\n";
    text += code + (message.empty() ? "" : ": " + message);
  }
  return text;
}

}  // namespace

std::string request_name(const std::string& method, const RegistryUrl& url) {
  std::string name = method;
  for (std::size_t i = 1; i < name.size(); ++i) {
    name[i] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  return name + " \"" + url.text() + "\"";
}

std::string go_words(std::string message) {
  constexpr std::string_view kConnect = "connect to ";
  if (message.starts_with(kConnect)) {
    const std::size_t reason = message.rfind(": ");
    if (reason != message.npos && reason + 2 < message.size()) {
      message[reason + 2] = static_cast<char>(std::tolower(static_cast<unsigned char>(message[reason + 2])));
      message.insert(reason + 2, "connect: ");
    }
    message.replace(0, kConnect.size(), "dial tcp ");
  }
  return message;
}

task::Task<Error> registry_error(RegistryAnswer answer) {
  const int status = answer.status();
  std::string message;
  try {
    const std::string body = co_await answer.text(kErrorBodyMax);
    message = message_in(json::parse(body, nullptr, false));
  } catch (const Error&) {
    // The status says enough.
  }
  if (message.empty() && status == 401) message = "unauthorized: authentication required";
  if (message.empty() && status == 404) message = "not found";
  if (message.empty()) message = "received unexpected HTTP status: " + std::to_string(status);
  co_return Error(class_of(status), std::move(message));
}

}  // namespace quoll::mgr
