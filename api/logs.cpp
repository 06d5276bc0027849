// GET /containers/{id}/logs
#include "api/handlers.hpp"
#include "api/version.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/container/log_attributes.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

mgr::LogFilter filter_of(const Request& request) {
  mgr::LogFilter filter;
  filter.stdout_wanted = request.query_flag("stdout");
  filter.stderr_wanted = request.query_flag("stderr");
  if (!filter.stdout_wanted && !filter.stderr_wanted) {
    throw Error(ErrorClass::kInvalidArgument, "Bad parameters: you must choose at least one stream");
  }
  filter.timestamps = request.query_flag("timestamps");
  filter.since_ns = mgr::parse_since(request.query("since").value_or(""));
  filter.until_ns = mgr::parse_until(request.query("until").value_or(""));
  filter.tail = mgr::parse_tail(request.query("tail").value_or("all"));
  return filter;
}

// The media type of framed streams came with API 1.42; older clients know the raw one only, for both forms.
std::string_view content_type(const Request& request, bool tty) {
  return !tty && !is_before(request, 42) ? "application/vnd.docker.multiplexed-stream"
                                         : "application/vnd.docker.raw-stream";
}

}  // namespace

Task<void> logs_container(Api& api, Request& request, Response& response) {
  mgr::LogFilter filter = filter_of(request);
  const auto container = named_container(api, request);
  if (!container->log()) {
    throw Error(ErrorClass::kNotImplemented, "configured logging driver does not support reading");
  }
  if (request.query_flag("details")) filter.attributes = mgr::log_attributes(*container);
  const auto follower = api.containers.logs(*container, filter, request.query_flag("follow"));
  co_await response.start_stream(content_type(request, container->config()->tty));
  while (const auto chunk = co_await follower->next()) co_await response.write(chunk->bytes.view());
}

}  // namespace quoll::api
