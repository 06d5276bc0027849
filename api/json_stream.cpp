#include "api/json_stream.hpp"

#include <optional>

#include "api/json_body.hpp"
#include "task/error.hpp"

namespace quoll::api {

task::Task<void> stream_lines(http::Response& response, std::string_view lines) {
  if (!response.headers_sent()) co_await response.start_stream("application/json");
  co_await response.write(lines);
}

task::Task<void> end_stream(http::Response& response, std::exception_ptr failure) {
  if (!failure) co_return;
  if (!response.headers_sent()) std::rethrow_exception(failure);
  std::optional<Error> error;
  try {
    std::rethrow_exception(failure);
  } catch (const Error& caught) {
    error = caught;
  }
  const std::string line = to_text({{"errorDetail", {{"message", error->message()}}}, {"error", error->message()}});
  co_await response.write(line);
}

}  // namespace quoll::api
