// /containers/{id}/exec and /exec
#include <nlohmann/json.hpp>

#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/numbers.hpp"
#include "api/old_fields.hpp"
#include "api/old_requests.hpp"
#include "api/stream_session.hpp"
#include "mgr/attach/detach_keys.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/exec/exec_manager.hpp"
#include "monitor/attach_protocol.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

std::uint8_t attach_flags(const mgr::ExecConfig& config) {
  int flags = monitor::kAttachClosesStdin;  // never 0, so that there is somebody who sees the end
  if (config.attach_stdin) flags |= monitor::kAttachStdin;
  if (config.attach_stdout) flags |= monitor::kAttachStdout;
  if (config.attach_stderr) flags |= monitor::kAttachStderr;
  return static_cast<std::uint8_t>(flags);
}

// What cannot be run is told on the stream, as its output would be: the answer's head has long been sent.
Task<void> tell_failure(http::HijackedStream client, std::string text, bool tty) {
  text += "\r\n";
  const auto byte = [size = text.size()](int shift) { return static_cast<char>((size >> shift) & 0xff); };
  const char header[8] = {1, 0, 0, 0, byte(24), byte(16), byte(8), byte(0)};
  if (!tty) co_await client.write({header, sizeof header});
  co_await client.write(text);
}

Task<void> wait_for(task::Event& event) { co_await event.wait(); }

// A client asks for the exit code as soon as the stream has ended.
Task<void> wait_for_exit_code(std::shared_ptr<mgr::Exec> exec) {
  try {
    co_await task::with_deadline(std::chrono::seconds(2), wait_for(exec->ended()));
  } catch (const Error&) {
    // The stream has ended for another reason than the process: the daemon stops.
  }
}

Task<void> run_attached(Api& api, std::shared_ptr<mgr::Exec> exec, http::HijackedStream client, json body) {
  const mgr::ExecConfig& config = exec->config();
  UniqueFd socket;
  std::string failure;
  try {
    socket = co_await api.execs.start(exec, attach_flags(config));
  } catch (const Error& error) {
    failure = error.message();
  }
  if (!socket) {
    co_await tell_failure(client, failure, config.tty);
    co_return;
  }
  mgr::AttachStream process(std::move(socket), api.attached);
  RawClientStream stream(client);
  const json size = body.value("ConsoleSize", json());
  if (config.tty && size.is_array() && size.size() == 2 && size[0].is_number_unsigned() &&
      size[1].is_number_unsigned()) {
    api.execs.resize(*exec, size[0].get<unsigned>(), size[1].get<unsigned>());
  }
  SessionOptions options{config.attach_stdin, !config.tty, ""};
  if (config.tty && config.attach_stdin) options.detach_keys = mgr::parse_detach_keys(config.detach_keys);
  const SessionEnd end = co_await run_session(stream, process, options);
  if (end == SessionEnd::kDetached) {
    api.execs.publish(*exec, "exec_detach");
  } else {
    co_await wait_for_exit_code(exec);
  }
}

}  // namespace

Task<void> create_exec(Api& api, Request& request, Response& response) {
  json body = co_await read_json(request);
  read_as_old_exec(request, body);
  const auto container = named_container(api, request);
  const auto exec = api.execs.create(container, mgr::parse_exec_config(body));
  nlohmann::json answer{{"Id", exec->id()}};
  add_old_exec_fields(request, answer);
  co_await send_json(response, 201, answer);
}

Task<void> start_exec(Api& api, Request& request, Response& response) {
  json body = json::object();
  if (request.has_body()) body = co_await read_json(request);
  read_as_old_exec(request, body);
  const auto exec = api.execs.find(request.param("id"));
  label_request(request, *exec->container());
  const bool detach = body.contains("Detach") && body["Detach"].is_boolean() && body["Detach"].get<bool>();
  api.execs.claim(*exec);
  if (detach) {
    co_await api.execs.start(exec, 0);
    co_await response.send("", "");
    co_return;
  }
  const http::HijackedStream client = co_await response.hijack(stream_media_type(request, exec->config().tty));
  co_await run_attached(api, exec, client, std::move(body));
}

Task<void> resize_exec(Api& api, Request& request, Response& response) {
  const unsigned rows = required_size(request, "h");
  const unsigned columns = required_size(request, "w");
  api.execs.resize(*api.execs.find(request.param("id")), rows, columns);
  co_await response.send("", "");
}

Task<void> inspect_exec(Api& api, Request& request, Response& response) {
  const auto exec = api.execs.find(request.param("id"));
  const mgr::ExecConfig& config = exec->config();
  const mgr::ExecState state = exec->state();
  const std::vector<std::string> arguments(config.command.begin() + 1, config.command.end());
  json process{{"tty", config.tty},
               {"entrypoint", config.command.front()},
               {"arguments", arguments},
               {"privileged", config.privileged}};
  if (!config.user.empty()) process["user"] = config.user;
  const json code = state.exit_code ? json(*state.exit_code) : json();
  co_await send_json(response, 200,
                     {{"ID", exec->id()},
                      {"ContainerID", exec->container()->id()},
                      {"Running", state.running},
                      {"ExitCode", code},
                      {"ProcessConfig", std::move(process)},
                      {"OpenStdin", config.attach_stdin},
                      {"OpenStdout", config.attach_stdout},
                      {"OpenStderr", config.attach_stderr},
                      {"CanRemove", state.exit_code.has_value()},
                      {"DetachKeys", config.detach_keys},
                      {"Pid", state.pid}});
}

}  // namespace quoll::api
