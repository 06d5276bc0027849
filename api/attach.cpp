// /containers/{id}/attach, by POST and as a WebSocket, and /containers/{id}/resize
#include "api/handlers.hpp"
#include "api/numbers.hpp"
#include "api/stream_session.hpp"
#include "api/version.hpp"
#include "api/websocket.hpp"
#include "mgr/attach/detach_keys.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/runtime/monitor.hpp"
#include "monitor/attach_protocol.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

// What one attach asks for.
struct AttachWish {
  bool stream = false;
  bool logs = false;
  bool raw = false;  // output without frames
  bool input = false, output = false, error_output = false;
  bool input_closes = false;
  std::string detach_keys;

  std::uint8_t flags() const {
    const int output_flags = (output ? monitor::kAttachStdout : 0) | (error_output ? monitor::kAttachStderr : 0);
    return static_cast<std::uint8_t>((input ? monitor::kAttachStdin : 0) |
                                     (input && input_closes ? monitor::kAttachClosesStdin : 0) |
                                     (raw ? monitor::kAttachRaw : 0) | output_flags);
  }
};

AttachWish wish_of(const Request& request, const mgr::ContainerConfig& config) {
  AttachWish wish;
  wish.stream = request.query_flag("stream");
  wish.logs = request.query_flag("logs");
  wish.input = request.query_flag("stdin") && config.open_stdin;
  wish.output = request.query_flag("stdout");
  wish.error_output = request.query_flag("stderr");
  wish.input_closes = config.stdin_once && !config.tty;
  const std::string keys = mgr::parse_detach_keys(request.query("detachKeys").value_or(""));
  if (config.tty && wish.input) wish.detach_keys = keys;
  return wish;
}

void require_attachable(const mgr::Container& container, const AttachWish& wish) {
  const mgr::ContainerStatus status = container.state().status;
  if (status == mgr::ContainerStatus::kPaused) {
    throw Error(ErrorClass::kConflict,
                "container " + container.id() + " is paused, unpause the container before attach");
  }
  if (status == mgr::ContainerStatus::kRestarting) {
    throw Error(ErrorClass::kConflict,
                "container " + container.id() + " is restarting, wait until the container is running");
  }
  if (wish.logs && !container.log()) {
    throw Error(ErrorClass::kNotImplemented, "configured logging driver does not support reading");
  }
}

std::unique_ptr<mgr::LogFollower> follower_of(Api& api, const mgr::Container& container, const AttachWish& wish,
                                              bool follow) {
  mgr::LogFilter filter;
  filter.stdout_wanted = wish.output;
  filter.stderr_wanted = wish.error_output;
  return api.containers.logs(container, filter, follow, wish.raw);
}

Task<void> stream_to(Api& api, ClientStream& client, std::shared_ptr<mgr::Container> container, AttachWish wish) {
  // A running container's log has what it says from now on too, so nothing is lost between the two, and nothing
  // doubled.
  const bool from_log = wish.logs && mgr::is_running(container->state().status);
  std::unique_ptr<mgr::LogFollower> log;
  if (wish.logs) log = follower_of(api, *container, wish, wish.stream);
  const std::uint8_t flags =
      from_log ? wish.flags() & ~(monitor::kAttachStdout | monitor::kAttachStderr) : wish.flags();
  mgr::Container::PendingAttach pending;
  if (wish.stream) pending = container->attach(flags);
  if (!from_log && log != nullptr) {
    while (const auto chunk = co_await log->next()) co_await client.write(chunk->bytes.view());
  }
  if (!wish.stream) {
    if (from_log) {
      while (const auto chunk = co_await log->next()) co_await client.write(chunk->bytes.view());
    }
    co_return;
  }
  UniqueFd socket = co_await pending.socket();
  if (!socket) co_return;
  mgr::AttachStream process(std::move(socket), api.attached);
  const SessionOptions options{wish.input, wish.input_closes, wish.detach_keys};
  const SessionEnd end = co_await run_session(client, process, options, from_log ? log.get() : nullptr);
  if (end == SessionEnd::kDetached) api.containers.publish(*container, "detach");
}

}  // namespace

Task<void> attach_container(Api& api, Request& request, Response& response) {
  const auto container = named_container(api, request);
  const auto config = container->config();
  const AttachWish wish = wish_of(request, *config);
  require_attachable(*container, wish);
  api.containers.publish(*container, "attach");
  RawClientStream client(co_await response.hijack(stream_media_type(request, config->tty)));
  co_await stream_to(api, client, container, wish);
}

Task<void> attach_websocket(Api& api, Request& request, Response& response) {
  const auto container = named_container(api, request);
  const auto config = container->config();
  AttachWish wish = wish_of(request, *config);
  wish.raw = true;
  if (is_before(request, 42)) {  // all streams, whatever was asked for
    wish.input = config->open_stdin;
    wish.output = wish.error_output = true;
  }
  require_attachable(*container, wish);
  const http::HijackedStream hijacked = co_await WebSocketStream::accept(request, response);
  api.containers.publish(*container, "attach");
  WebSocketStream client(hijacked, !is_before(request, 28));
  co_await stream_to(api, client, container, wish);
  co_await client.close();
}

Task<void> resize_container(Api& api, Request& request, Response& response) {
  const unsigned rows = required_size(request, "h");
  const unsigned columns = required_size(request, "w");
  const auto container = named_container(api, request);
  if (!mgr::is_running(container->state().status)) {
    throw Error(ErrorClass::kConflict, "container " + container->id() + " is not running");
  }
  mgr::request_of_monitor(container->paths().bundle, mgr::resize_request(rows, columns));
  api.containers.publish(*container, "resize", {{"height", std::to_string(rows)}, {"width", std::to_string(columns)}});
  co_await response.send("", "");
}

}  // namespace quoll::api
