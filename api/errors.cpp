// How errors and the headers of every answer look to Docker's clients.
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "api/api.hpp"
#include "http/status.hpp"

namespace quoll::api {
namespace {

http::ErrorReply render_error(const http::Request&, const std::exception_ptr& failure) {
  http::ErrorReply reply;
  reply.status = http::status_of(failure);
  reply.content_type = "application/json";
  // Whatever bytes a message quotes, the answer is valid UTF-8.
  const nlohmann::json body{{"message", http::message_of(failure)}};
  reply.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return reply;
}

void log_error(const http::Request& request, const std::exception_ptr& failure, bool headers_sent) {
  const int status = http::status_of(failure);
  std::string text;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    text = error.what();
  } catch (...) {
    text = "an exception of no known type";
  }
  const auto level = status >= 500 && status != 501 ? spdlog::level::err : spdlog::level::debug;
  spdlog::log(level, "request {} {} {}: {} ({}){}", request.id(), request.method(), request.path(), text, status,
              headers_sent ? ", in the middle of its answer" : "");
}

}  // namespace

void set_docker_options(http::ServerOptions& options) {
  options.static_headers = "Api-Version: " + std::string(kApiVersion) +
                           "\r\nDocker-Experimental: false\r\nOstype: linux\r\nServer: Quoll/" QUOLL_VERSION
                           " (linux)\r\n";
  options.render_error = render_error;
  options.on_error = log_error;
}

}  // namespace quoll::api
