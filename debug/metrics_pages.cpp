#include "debug/metrics_pages.hpp"

#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>

#include "debug/answers.hpp"
#include "debug/dump.hpp"
#include "debug/leaks.hpp"
#include "debug/pprof_pages.hpp"
#include "debug/process_stats.hpp"
#include "http/server.hpp"
#include "task/wait_table.hpp"

namespace quoll::debug {
namespace {

constexpr std::string_view kOurs = "quoll_";

std::string seconds_text(double seconds) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, seconds).ptr};
}

void add_process(Metrics& metrics) {
  const ProcessStats stats = process_stats();
  using enum MetricType;
  metrics.add_one("process_cpu_seconds_total", kCounter, "User and system time that the process has used.",
                  stats.cpu_seconds);
  metrics.add_one("process_start_time_seconds", kGauge, "When the process started, since the epoch.",
                  stats.start_time_seconds);
  metrics.add_one("process_resident_memory_bytes", kGauge, "Resident memory.",
                  static_cast<double>(stats.resident_bytes));
  metrics.add_one("process_virtual_memory_bytes", kGauge, "Virtual memory.", static_cast<double>(stats.virtual_bytes));
  metrics.add_one("process_open_fds", kGauge, "Open file descriptors.", static_cast<double>(stats.open_descriptors));
  metrics.add_one("process_max_fds", kGauge, "How many file descriptors may be open.",
                  static_cast<double>(stats.descriptors_max));
  metrics.add_one("process_threads", kGauge, "Threads.", static_cast<double>(stats.threads));
  const HeapStats heap = heap_stats();
  metrics.add_one("quoll_heap_in_use_bytes", kGauge, "Memory that is allocated and not freed.",
                  static_cast<double>(heap.in_use_bytes));
  metrics.add_one("quoll_heap_system_bytes", kGauge, "Memory that malloc has from the kernel.",
                  static_cast<double>(heap.system_bytes));
}

task::Task<void> add_tasks(Metrics& metrics, task::Runtime& runtime) {
  std::map<task::TaskState, std::int64_t> states;
  std::int64_t connections = 0;
  const StackCounts counts = co_await count_stacks(runtime, {});
  for (const Sample& sample : counts.sorted()) {
    states[sample.first.state] += sample.second;
    if (sample.first.task == http::kConnectionTask) connections += sample.second;
  }
  metrics.begin("quoll_tasks", MetricType::kGauge, "Live tasks by state.");
  for (const auto& [state, count] : states) {
    metrics.add({{"state", std::string(task::to_string(state))}}, static_cast<double>(count));
  }
  metrics.add_one("quoll_http_connections", MetricType::kGauge, "Open connections.", static_cast<double>(connections));
}

void add_waits(Metrics& metrics, task::Runtime& runtime) {
  std::map<task::TaskState, std::pair<double, double>> waits;  // count, seconds
  for (const auto& worker : runtime.workers()) {
    for (const task::WaitStack& stack : worker->waits().copy()) {
      if (stack.count == 0) continue;
      waits[stack.state].first += static_cast<double>(stack.count);
      waits[stack.state].second += static_cast<double>(stack.nanoseconds) / 1e9;
    }
  }
  metrics.begin("quoll_task_wait_seconds_total", MetricType::kCounter,
                "Time that tasks have waited in a state, once the wait was over.");
  for (const auto& [state, sums] : waits) metrics.add({{"state", std::string(task::to_string(state))}}, sums.second);
}

// What the watch has seen at its looks; to be looked for only where there is one (LeakTotals::looks grows).
void add_leaks(Metrics& metrics) {
  const LeakTotals totals = leak_totals();
  metrics.begin("quoll_leaks", MetricType::kGauge, "Leaked and overdue tasks at the last look, by verdict.");
  for (const LeakKind kind : kLeakKinds) {
    metrics.add({{"kind", std::string(to_string(kind))}}, static_cast<double>(totals.present[static_cast<int>(kind)]));
  }
  metrics.begin("quoll_leaks_found_total", MetricType::kCounter, "Leaked and overdue tasks that have been found.");
  for (const LeakKind kind : kLeakKinds) {
    metrics.add({{"kind", std::string(to_string(kind))}}, static_cast<double>(totals.found[static_cast<int>(kind)]));
  }
  metrics.add_one("quoll_leak_looks_total", MetricType::kCounter, "How often leaks have been looked for.",
                  static_cast<double>(totals.looks));
}

using RouteKey = std::pair<std::string, std::string>;  // route, method
using RouteSums = std::map<RouteKey, std::vector<http::RouteStats::Snapshot>>;

RouteSums route_sums(const DebugSources& sources) {
  RouteSums sums;
  const auto add = [&](RouteKey key, const http::RouteStats& stats) {
    const http::RouteStats::Snapshot snapshot = stats.snapshot();
    if (snapshot.count > 0) sums[std::move(key)].push_back(snapshot);
  };
  for (const http::Router* router : sources.routers) {
    for (const http::Route& route : router->routes()) add({route.pattern, route.method}, *route.stats);
    add({"", ""}, router->unmatched_stats());
  }
  return sums;
}

void add_histogram(Metrics& metrics, const RouteKey& key, const std::vector<http::RouteStats::Snapshot>& snapshots) {
  const MetricLabels labels{{"method", key.second}, {"route", key.first}};
  double count = 0;
  double seconds = 0;
  for (const auto& snapshot : snapshots) seconds += std::chrono::duration<double>(snapshot.total).count();
  for (std::size_t bucket = 0; bucket <= http::RouteStats::kBoundsUs.size(); ++bucket) {
    for (const auto& snapshot : snapshots) count += static_cast<double>(snapshot.buckets[bucket]);
    const bool last = bucket == http::RouteStats::kBoundsUs.size();
    MetricLabels with_bound = labels;
    with_bound.emplace_back("le", last ? "+Inf" : seconds_text(http::RouteStats::kBoundsUs[bucket] / 1e6));
    metrics.add(std::move(with_bound), count, "_bucket");
  }
  metrics.add(labels, seconds, "_sum");
  metrics.add(labels, count, "_count");
}

void add_requests(Metrics& metrics, const DebugSources& sources) {
  const RouteSums sums = route_sums(sources);
  metrics.begin("quoll_http_requests_total", MetricType::kCounter,
                "Requests that have ended, by route and status; 499: the client left first.");
  for (const auto& [key, snapshots] : sums) {
    std::map<int, double> statuses;
    for (const auto& snapshot : snapshots) {
      for (std::size_t i = 0; i < snapshot.status_count; ++i) {
        statuses[snapshot.statuses[i].code] += static_cast<double>(snapshot.statuses[i].count);
      }
    }
    for (const auto& [code, count] : statuses) {
      metrics.add({{"method", key.second}, {"route", key.first}, {"code", code != 0 ? std::to_string(code) : "other"}},
                  count);
    }
  }
  metrics.begin("quoll_http_request_duration_seconds", MetricType::kHistogram,
                "Time from a request's head to the end of its answer.");
  for (const auto& [key, snapshots] : sums) add_histogram(metrics, key, snapshots);
}

// expvar's `memstats` is Go's runtime.MemStats; these of its fields have a meaning here.
nlohmann::json memory_json() {
  const HeapStats heap = heap_stats();
  const ProcessStats process = process_stats();
  return {{"Alloc", heap.in_use_bytes},  {"HeapAlloc", heap.in_use_bytes}, {"HeapSys", heap.system_bytes},
          {"HeapIdle", heap.free_bytes}, {"HeapInuse", heap.in_use_bytes}, {"Sys", process.resident_bytes}};
}

nlohmann::json command_line_json() {
  nlohmann::json words = nlohmann::json::array();
  const std::string text = command_line();
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find('\0', start), text.size());
    words.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return words;
}

// A gauge without labels is a number, one with a label an object by its values.
nlohmann::json gauge_json(const Metrics::Family& family) {
  nlohmann::json value = nlohmann::json::object();
  for (const Metrics::Sample& sample : family.samples) {
    if (sample.labels.empty()) return sample.value;
    std::string name;
    for (const auto& [label, text] : sample.labels) name += (name.empty() ? "" : " ") + text;
    value[name] = sample.value;
  }
  return value;
}

}  // namespace

task::Task<Metrics> collect_metrics(task::Runtime& runtime, const DebugSources& sources) {
  Metrics metrics;
  metrics.begin("quoll_build_info", MetricType::kGauge, "1; the version is in the label.");
  metrics.add({{"version", QUOLL_VERSION}}, 1);
  co_await add_tasks(metrics, runtime);
  add_waits(metrics, runtime);
  add_leaks(metrics);
  add_requests(metrics, sources);
  if (sources.add_metrics) sources.add_metrics(metrics);
  add_process(metrics);
  co_return metrics;
}

task::Task<void> metrics_page(task::Runtime& runtime, const DebugSources& sources, http::Response& response) {
  const Metrics metrics = co_await collect_metrics(runtime, sources);
  const std::string text = prometheus_text(metrics);
  co_await response.send(text, kPrometheusText);
}

task::Task<void> vars_page(task::Runtime& runtime, const DebugSources& sources, http::Response& response) {
  const Metrics metrics = co_await collect_metrics(runtime, sources);
  nlohmann::json vars = {{"cmdline", command_line_json()}, {"memstats", memory_json()}};
  for (const Metrics::Family& family : metrics.families()) {
    std::string_view name = family.name;
    if (family.type != MetricType::kGauge || !name.starts_with(kOurs)) continue;
    name.remove_prefix(kOurs.size());
    vars[std::string(name)] = gauge_json(family);
  }
  const std::string text = vars.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  co_await response.send(text, "application/json; charset=utf-8");
}

}  // namespace quoll::debug
