// stack, tasks
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/engine.hpp"
#include "cli/human.hpp"
#include "cli/table.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kBufferBytes = 64 * 1024;

std::string target_of(const char* path, const TaskSelection& tasks) {
  return path + query_string({{"match", tasks.match}, {"state", tasks.state}, {"min_wait", tasks.min_wait}});
}

task::Task<void> warn_of_silent_workers(Context& context, std::string names) {
  if (names.empty()) co_return;
  const std::string warning = "quoll: not all tasks are shown: no answer from " + printable(names) + "\n";
  co_await context.error.write(warning);
}

// "GET /containers/{id}/logs" of what the task works for.
std::string request_of(const json& task) {
  if (!task.contains("request")) return "-";
  const json& request = task["request"];
  const std::string route = request.value("route", "");
  return request.value("method", "") + " " + (route.empty() ? request.value("path", "") : route);
}

// The innermost function that is not the runtime's own, which only says how the task waits, as its state does.
std::string innermost_function(const json& task) {
  const json& frames = task.at("frames");
  for (const json& frame : frames) {
    std::string function = frame.value("function", "-");
    if (!function.starts_with("quoll::task::")) return function;
  }
  return frames.empty() ? "-" : frames[0].value("function", "-");
}

void add_task(Table& table, const json& task) {
  table.add_row({std::to_string(task.value("id", std::uint64_t{0})), task.value("state", ""),
                 short_duration(task.value("waited_seconds", 0.0)), task.value("name", ""), request_of(task),
                 task.contains("request") ? task["request"].value("client", "-") : "-", innermost_function(task)});
}

std::string silent_workers(const json& answer) {
  std::string names;
  for (const json& worker : answer.at("dump").at("silent_workers")) {
    names += (names.empty() ? "" : ", ") + worker.value("name", "?");
  }
  return names;
}

}  // namespace

task::Task<int> execute(Context& context, const StackOptions& options) {
  Engine engine(context.debug_host);
  http::ClientRequest request{.target = target_of("/debug/goroutine", options.tasks)};
  http::ClientResponse response = co_await engine.open(std::move(request));
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  while (const std::size_t count = co_await response.read_body({buffer.get(), kBufferBytes})) {
    co_await context.out.write({buffer.get(), count});
  }
  co_await warn_of_silent_workers(context, std::string(response.trailers().get("X-Quoll-Dump-Silent-Workers")));
  co_return 0;
}

task::Task<int> execute(Context& context, const TasksOptions& options) {
  Engine engine(context.debug_host);
  const json answer = co_await engine.get(target_of("/debug/tasks", options.tasks));
  Table table({"ID", "STATE", "FOR", "NAME", "REQUEST", "CLIENT", "FUNCTION"});
  for (const json& task : answer.at("tasks")) add_task(table, task);
  const std::string text = table.text();
  co_await context.out.write(text);
  co_await warn_of_silent_workers(context, silent_workers(answer));
  co_return 0;
}

}  // namespace quoll::cli
