// attach and exec
#include <nlohmann/json.hpp>

#include "cli/attached.hpp"
#include "cli/command_failure.hpp"
#include "cli/commands.hpp"
#include "cli/engine.hpp"
#include "cli/run_request.hpp"
#include "http/uri.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

json exec_request(const Context& context, const ExecOptions& options) {
  json request{{"Cmd", options.command},
               {"Env", environment_of(options.env)},
               {"Tty", options.tty},
               {"AttachStdin", options.interactive && !options.detach},
               {"AttachStdout", !options.detach},
               {"AttachStderr", !options.detach},
               {"Privileged", options.privileged}};
  if (!options.user.empty()) request["User"] = options.user;
  if (!options.working_directory.empty()) request["WorkingDir"] = options.working_directory;
  // From its first moment: a resize has to wait for the process.
  if (const auto size = context.out.screen(); size && options.tty) request["ConsoleSize"] = {size->rows, size->columns};
  return request;
}

}  // namespace

task::Task<int> execute(Context& context, const ExecOptions& options) {
  Engine engine(context.host);
  const std::string container = http::percent_encode(options.container);
  const json created = co_await engine.post("/containers/" + container + "/exec", exec_request(context, options));
  const std::string path = "/exec/" + created.at("Id").get<std::string>();
  Engine stream(context.host);
  if (options.detach) {
    co_await stream.act("POST", path + "/start", json{{"Detach", true}});
    co_return 0;
  }
  co_await stream.upgrade(path + "/start", json{{"Detach", false}, {"Tty", options.tty}});
  const AttachedOptions how{options.interactive, options.tty, path + "/resize"};
  if (co_await run_attached(context, stream, how) == AttachedEnd::kDetached) co_return 0;
  const json record = co_await engine.get(path + "/json");
  co_return record.at("ExitCode").is_number() ? record.at("ExitCode").get<int>() : 0;
}

task::Task<int> execute(Context& context, const AttachOptions& options) {
  Engine engine(context.host);
  const std::string path = "/containers/" + http::percent_encode(options.container);
  const json container = co_await engine.get(path + "/json");
  if (!container.at("State").at("Running").get<bool>()) {
    throw CommandFailure(1, "cannot attach to a stopped container, start it first");
  }
  const json& config = container.at("Config");
  const bool input = !options.no_stdin && config.at("OpenStdin").get<bool>();
  Engine waiting(context.host);
  http::ClientRequest wait{.method = "POST", .target = path + "/wait"};
  http::ClientResponse exit = co_await waiting.open(std::move(wait));
  Engine stream(context.host);
  const std::string which = input ? "&stdin=1" : "";
  co_await stream.upgrade(path + "/attach?stream=1&stdout=1&stderr=1" + which, json());
  const AttachedOptions how{input, config.at("Tty").get<bool>(), path + "/resize"};
  if (co_await run_attached(context, stream, how) == AttachedEnd::kDetached) co_return 0;
  // The stream's end need not be the container's: without an end of input of its own, ours ends the attach.
  const json now = co_await engine.get(path + "/json");
  if (input && !config.at("StdinOnce").get<bool>() && now.at("State").at("Running").get<bool>()) co_return 0;
  const json answer = json::parse(co_await exit.read_body_all(), nullptr, false);
  co_return answer.is_object() ? answer.value("StatusCode", 1) : 1;
}

}  // namespace quoll::cli
