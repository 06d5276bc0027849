// The search for leaks: tasks that have been told to end and have not, and tasks that can never go on.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "debug/summary.hpp"
#include "debug/wait_graph.hpp"
#include "debug/walk.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

std::string_view to_string(LeakKind kind);

struct LeakOptions {
  // How long a task may live on after its request's client has left, or after it was cancelled.
  std::chrono::nanoseconds grace = std::chrono::seconds(10);
  // How long a task must have waited before it is asked whether its wait can end.
  std::chrono::nanoseconds blocked = std::chrono::seconds(1);
};

// A verdict on one task.
struct Leak {
  LeakKind kind = LeakKind::kOverdue;
  std::string reason;  // in words
  TaskSummary task;
  std::vector<std::uint64_t> cycle;   // of a deadlock: each waits for the next, the last for the first
  std::vector<std::uint64_t> behind;  // tasks that wait for it without a fault of their own
};

struct LeakReport {
  std::vector<Leak> leaks;  // by task id
  WalkFacts facts;          // complete() is false where a worker was silent: its tasks were not looked at
};

// No verdict is passed on what is not certain: see find_dead_waits(). A task that is blocked is looked at twice, and
// must have stayed where it was.
//
// Cancel, Errors: as those of a dump (dump.hpp).
task::Task<LeakReport> find_leaks(task::Runtime& runtime, LeakOptions options = {});

// For people: a paragraph a leak, with its stack. For programs: an object with `verdicts`.
std::string leaks_text(const LeakReport& report);
std::string leaks_json(const LeakReport& report, const LeakOptions& options);

// How many leaks watch_for_leaks() has found in this process.
struct LeakTotals {
  std::uint64_t found[5] = {};    // so far, by LeakKind
  std::uint64_t present[5] = {};  // at the last look
  std::uint64_t looks = 0;        // how often it has looked
};
inline constexpr LeakKind kLeakKinds[] = {LeakKind::kOverdue, LeakKind::kNoSender, LeakKind::kNoReceiver,
                                          LeakKind::kHolderGone, LeakKind::kDeadlock};

// Thread: any.
LeakTotals leak_totals();

}  // namespace quoll::debug
