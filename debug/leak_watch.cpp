#include "debug/leak_watch.hpp"

#include <atomic>
#include <set>
#include <utility>

#include "task/error.hpp"
#include "task/timer.hpp"

namespace quoll::debug {
namespace {

constexpr std::size_t kKinds = std::size(kLeakKinds);

struct Counters {
  std::atomic<std::uint64_t> found[kKinds];
  std::atomic<std::uint64_t> present[kKinds];
  std::atomic<std::uint64_t> looks{0};
};
constinit Counters counters;

using Known = std::set<std::pair<std::uint64_t, LeakKind>>;

// Counts what the report has, and logs what was not known.
void take_note(const LeakReport& report, Known& known, const LeakWatchOptions& options) {
  std::uint64_t present[kKinds] = {};
  Known now;
  for (const Leak& leak : report.leaks) {
    const auto kind = static_cast<std::size_t>(leak.kind);
    ++present[kind];
    now.emplace(leak.task.id, leak.kind);
    if (known.contains({leak.task.id, leak.kind})) continue;
    counters.found[kind].fetch_add(1, std::memory_order_relaxed);
    LeakReport one;
    one.leaks.push_back(leak);
    if (options.log) options.log(leaks_text(one));
  }
  // A silent worker's tasks were not looked at: what is known of them stays known.
  if (report.facts.complete()) known.clear();
  known.merge(now);
  for (std::size_t kind = 0; kind < kKinds; ++kind) counters.present[kind] = present[kind];
  counters.looks.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

LeakTotals leak_totals() {
  LeakTotals totals;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    totals.found[kind] = counters.found[kind];
    totals.present[kind] = counters.present[kind];
  }
  totals.looks = counters.looks;
  return totals;
}

task::Task<void> watch_for_leaks(task::Runtime& runtime, LeakWatchOptions options) {
  Known known;
  while (true) {
    co_await task::sleep_for(options.period);
    try {
      const LeakReport report = co_await find_leaks(runtime, options.leaks);
      take_note(report, known, options);
    } catch (const Error&) {
      // Too many dumps at once: the next look will do.
    }
  }
}

}  // namespace quoll::debug
