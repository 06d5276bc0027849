// leaks, stats: whether all is well with a process
#include <algorithm>
#include <charconv>
#include <chrono>

#include "cli/commands.hpp"
#include "cli/engine.hpp"
#include "cli/human.hpp"
#include "cli/metrics_text.hpp"
#include "cli/table.hpp"

namespace quoll::cli {
namespace {

constexpr std::size_t kTextBytesMax = 256 * 1024 * 1024;

// Whether something leaks is what a script asks for.
constexpr int kExitLeaks = 1;

std::string stats_text(const MetricsText& metrics) {
  Table table({"WHAT", "VALUE"});
  const auto add = [&table](const char* what, std::string value) { table.add_row({what, std::move(value)}); };
  const auto number = [&](const char* name) { return static_cast<std::uint64_t>(metrics.value(name).value_or(0)); };
  std::uint64_t tasks = 0;
  std::vector<std::pair<std::string, double>> states = metrics.by_label("quoll_tasks", "state");
  for (const auto& [state, count] : states) tasks += static_cast<std::uint64_t>(count);
  std::sort(states.begin(), states.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  add("tasks", std::to_string(tasks));
  for (const auto& [state, count] : states) {
    table.add_row({"  " + state, std::to_string(static_cast<std::uint64_t>(count))});
  }
  add("connections", std::to_string(number("quoll_http_connections")));
  add("threads", std::to_string(number("process_threads")));
  add("descriptors", std::to_string(number("process_open_fds")) + " of " + std::to_string(number("process_max_fds")));
  add("resident memory", human_size(number("process_resident_memory_bytes")));
  add("heap in use", human_size(number("quoll_heap_in_use_bytes")));
  add("processor time", short_duration(metrics.value("process_cpu_seconds_total").value_or(0)));
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  add("up for", short_duration(std::max(0.0, now - metrics.value("process_start_time_seconds").value_or(now))));
  return table.text();
}

}  // namespace

task::Task<int> execute(Context& context, const LeaksOptions& options) {
  Engine engine(co_await debug_host_of(context, options.pid));
  http::ClientRequest request{.target = "/debug/leaks" + query_string({{"grace", options.grace}})};
  http::ClientResponse response = co_await engine.open(std::move(request));
  const std::string text = co_await response.read_body_all(kTextBytesMax);
  if (!text.empty()) {
    co_await context.out.write(text);
    co_return kExitLeaks;
  }
  const std::string all_well = "no leaks among " + std::string(response.header("X-Quoll-Dump-Tasks")) + " tasks\n";
  co_await context.out.write(all_well);
  if (const std::string_view silent = response.header("X-Quoll-Dump-Silent-Workers"); !silent.empty()) {
    const std::string warning = "quoll: not all tasks were looked at: no answer from " + printable(silent) + "\n";
    co_await context.error.write(warning);
  }
  co_return 0;
}

task::Task<int> execute(Context& context, const StatsOptions& options) {
  Engine engine(co_await debug_host_of(context, options.pid));
  http::ClientRequest request{.target = "/metrics"};
  http::ClientResponse response = co_await engine.open(std::move(request));
  const std::string text = stats_text(MetricsText(co_await response.read_body_all()));
  co_await context.out.write(text);
  co_return 0;
}

}  // namespace quoll::cli
