// run: create a container, start it, and be it until it ends.
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/attached.hpp"
#include "cli/command_failure.hpp"
#include "cli/commands.hpp"
#include "cli/engine.hpp"
#include "cli/log_copy.hpp"
#include "cli/program.hpp"
#include "cli/run_request.hpp"
#include "cli/table.hpp"
#include "task/combine.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

// One run, shared by the task that does it and the one that listens for signals.
struct Run {
  Context& context;
  const RunOptions& options;
  std::string id;        // once it is created
  bool may_run = false;  // from the start request on
  bool left = false;     // by the detach keys: it goes on without us
};

std::string path_of(const Run& run, const char* action) { return "/containers/" + run.id + action; }

task::Task<void> warn(Context& context, std::string message) {
  message = "WARNING: " + printable(message) + "\n";
  co_await context.error.write(message);
}

task::Task<void> create(Run& run, Engine& engine) {
  json created;
  try {
    created = co_await engine.post("/containers/create" + query_string({{"name", run.options.name}}),
                                   create_request(run.options));
  } catch (const Error& error) {
    throw CommandFailure(kExitDaemonFailed, error.message());
  }
  run.id = created.at("Id").get<std::string>();
  if (!created.contains("Warnings") || !created["Warnings"].is_array()) co_return;
  for (const json& warning : created["Warnings"]) co_await warn(run.context, warning.get<std::string>());
}

task::Task<void> start(Run& run, Engine& engine) {
  run.may_run = true;
  try {
    co_await engine.act("POST", path_of(run, "/start"));
  } catch (const Error& error) {
    throw CommandFailure(exit_code_of_start_failure(error.message()), error.message());
  }
}

task::Task<int> run_detached(Run& run) {
  Engine engine(run.context.host);
  co_await create(run, engine);
  co_await start(run, engine);
  const std::string line = run.id + "\n";
  co_await run.context.out.write(line);
  co_return 0;
}

task::Task<void> follow_log(Run& run) {
  Engine engine(run.context.host);
  http::ClientRequest request{.target = path_of(run, "/logs?stdout=1&stderr=1&follow=1")};
  std::string failure;
  try {
    http::ClientResponse response = co_await engine.open(std::move(request));
    co_await copy_log(run.context, response);
  } catch (const Error& error) {
    failure = error.message();
  }
  // The container runs all the same, and its exit code is still to come.
  if (!failure.empty()) co_await warn(run.context, "no output can be shown: " + failure);
}

// With standard input the container is attached to before its start; else its log is read, which loses nothing either
// and holds nobody up.
task::Task<AttachedEnd> show(Run& run, Engine& engine) {
  if (!run.options.interactive) {
    co_await start(run, engine);
    co_await follow_log(run);
    co_return AttachedEnd::kStream;
  }
  Engine stream(run.context.host);
  try {
    co_await stream.upgrade(path_of(run, "/attach?stream=1&stdin=1&stdout=1&stderr=1"), json());
  } catch (const Error& error) {
    throw CommandFailure(kExitDaemonFailed, error.message());
  }
  co_await start(run, engine);
  const AttachedOptions how{true, run.options.tty, path_of(run, "/resize")};
  co_return co_await run_attached(run.context, stream, how);
}

task::Task<int> run_to_end(Run& run) {
  Engine engine(run.context.host);
  co_await create(run, engine);
  // The wait is registered before the start: an end that comes at once must not be missed.
  Engine waiting(run.context.host);
  http::ClientRequest wait{.method = "POST", .target = path_of(run, "/wait?condition=next-exit")};
  http::ClientResponse exit = co_await waiting.open(std::move(wait));
  if (co_await show(run, engine) == AttachedEnd::kDetached) {
    run.left = true;
    co_return 0;
  }
  std::string body;
  try {
    body = co_await exit.read_body_all();
  } catch (const Error& error) {
    throw CommandFailure(kExitDaemonFailed, "waiting for the container's end: " + error.message());
  }
  const json answer = json::parse(body, nullptr, false);
  if (!answer.is_object() || !answer.contains("StatusCode")) {
    throw CommandFailure(kExitDaemonFailed, "the daemon did not say how the container ended");
  }
  if (answer.contains("Error") && answer["Error"].is_object()) {
    co_await warn(run.context, answer["Error"].value("Message", ""));
  }
  co_return answer["StatusCode"].get<int>();
}

// For signals: whatever goes wrong with it, the run goes on until the container ends.
task::Task<void> send(Run& run, std::string target) {
  std::string failure;
  try {
    Engine engine(run.context.host);
    co_await engine.act("POST", std::move(target));
  } catch (const Error& error) {
    // 404 and 409: it has ended meanwhile.
    const bool too_late = error.error_class() == ErrorClass::kNotFound || error.error_class() == ErrorClass::kConflict;
    if (!too_late) failure = error.message();
  }
  if (!failure.empty()) co_await warn(run.context, failure);
}

// The first signal goes to the container, which is killed if it has not ended after its stop timeout. The second kills
// it at once. The third ends quoll alone.
task::Task<void> forward_signals(Run& run, task::Scope& requests, int* exit_code) {
  for (int count = 1;; ++count) {
    const int signal = co_await run.context.signals.next();
    if (!run.may_run || count > 2) {
      *exit_code = exit_code_of_signal(signal);
      requests.cancel(task::CancelReason::kUser);
      co_return;
    }
    const std::string query = query_string({{"signal", std::string("SIG") + ::sigabbrev_np(signal)}});
    requests.spawn("quoll run: signal",
                   send(run, path_of(run, count == 1 ? "/stop" : "/kill") + (count == 1 ? query : "")));
  }
}

task::Task<int> watch_signals(Run& run) {
  int exit_code = 0;
  co_await task::with_scope("quoll run: signals", [&run, &exit_code](task::Scope& requests) {
    return forward_signals(run, requests, &exit_code);
  });
  co_return exit_code;
}

// The daemon removes a detached container by itself. In the foreground its log must first have been read to its end,
// and whatever ended this run, nothing of the container may stay.
task::Task<int> remove(Run& run) {
  Engine engine(run.context.host);
  try {
    co_await engine.act("DELETE", path_of(run, "?force=1"));
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kNotFound) throw;
  }
  co_return 0;
}

}  // namespace

task::Task<int> execute(Context& context, const RunOptions& options) {
  Run run{context, options, "", false, false};
  std::vector<task::Task<int>> race;
  race.push_back(report_failure(context, options.detach ? run_detached(run) : run_to_end(run)));
  race.push_back(watch_signals(run));
  const task::First<int> first = co_await task::first_of(std::move(race));
  if (options.remove && !options.detach && !run.left && !run.id.empty()) co_await report_failure(context, remove(run));
  co_return first.value;
}

}  // namespace quoll::cli
