// stack, tasks, tree, top
#include <chrono>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/engine.hpp"
#include "cli/human.hpp"
#include "cli/process_hosts.hpp"
#include "cli/table.hpp"
#include "cli/task_list.hpp"
#include "task/timer.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::string_view kClearScreen = "\x1b[H\x1b[2J";

task::Task<void> warn_of_silent_workers(Context& context, std::string names) {
  if (names.empty()) co_return;
  const std::string warning = "quoll: not all tasks are shown: no answer from " + printable(names) + "\n";
  co_await context.error.write(warning);
}

// A table of as many rows as fit on the screen, where there is one.
std::string task_table(const std::vector<TaskRow>& rows, std::size_t rows_max) {
  Table table({"ID", "STATE", "FOR", "NAME", "REQUEST", "CLIENT", "FUNCTION"});
  for (const TaskRow& row : rows) {
    if (rows_max-- == 0) break;
    table.add_row({std::to_string(row.id), row.state, short_duration(row.wait_seconds), row.name, row.request,
                   row.client, row.function});
  }
  return table.text();
}

std::string time_of_day() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char text[16];
  std::strftime(text, sizeof text, "%H:%M:%S", &local);
  return text;
}

std::string cut_lines(const std::string& text, std::size_t width) {
  std::string cut;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    cut += ellipsis(std::string_view(text).substr(begin, end - begin), width) + "\n";
    begin = end + 1;
  }
  return cut;
}

std::string top_text(const json& answer, std::optional<Output::ScreenSize> screen) {
  std::vector<TaskRow> rows = task_rows(answer);
  sort_by_interest(rows);
  std::string text = time_of_day() + "  " + count_by_state(rows) + "\n";
  if (const std::string silent = silent_workers(answer); !silent.empty()) text += "no answer from " + silent + "\n";
  if (!screen) return text + task_table(rows, rows.size());
  constexpr std::size_t kHeadLines = 4;
  text += task_table(rows, screen->rows > kHeadLines ? screen->rows - kHeadLines : 1);
  return std::string(kClearScreen) + cut_lines(text, screen->columns);
}

}  // namespace

task::Task<std::string> debug_host_of(Context& context, int pid) {
  if (pid == 0) co_return context.debug_host;
  co_return co_await find_debug_host(pid);
}

task::Task<int> execute(Context& context, const StackOptions& options) {
  Engine engine(co_await debug_host_of(context, options.tasks.pid));
  http::ClientRequest request{.target = task_target("/debug/goroutine", options.tasks)};
  http::ClientResponse response = co_await engine.open(std::move(request));
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  while (const std::size_t count = co_await response.read_body({buffer.get(), kBufferBytes})) {
    co_await context.out.write({buffer.get(), count});
  }
  co_await warn_of_silent_workers(context, std::string(response.trailers().get("X-Quoll-Dump-Silent-Workers")));
  co_return 0;
}

task::Task<int> execute(Context& context, const TasksOptions& options) {
  Engine engine(co_await debug_host_of(context, options.tasks.pid));
  const json answer = co_await engine.get(task_target("/debug/tasks", options.tasks));
  const std::vector<TaskRow> rows = task_rows(answer);
  const std::string text = task_table(rows, rows.size());
  co_await context.out.write(text);
  co_await warn_of_silent_workers(context, silent_workers(answer));
  co_return 0;
}

task::Task<int> execute(Context& context, const TreeOptions& options) {
  Engine engine(co_await debug_host_of(context, options.tasks.pid));
  const json answer = co_await engine.get(task_target("/debug/tasks", options.tasks));
  const std::string text = tree_text(task_rows(answer));
  co_await context.out.write(text);
  co_await warn_of_silent_workers(context, silent_workers(answer));
  co_return 0;
}

task::Task<int> execute(Context& context, const TopOptions& options) {
  Engine engine(co_await debug_host_of(context, options.tasks.pid));
  const auto pause = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(options.delay));
  // For ever on a terminal; what is no terminal gets one picture.
  const int iterations = options.iterations == 0 && !context.out.screen() ? 1 : options.iterations;
  for (int count = 1;; ++count) {
    const json answer = co_await engine.get(task_target("/debug/tasks", options.tasks));
    const std::string text = top_text(answer, context.out.screen());
    co_await context.out.write(text);
    if (count == iterations) co_return 0;
    co_await task::sleep_for(pause);
  }
}

}  // namespace quoll::cli
