#include "debug/worker_watch.hpp"

#include <cstdint>
#include <string>
#include <unordered_map>

#include "debug/outside_walk.hpp"
#include "debug/text.hpp"
#include "task/clock.hpp"
#include "task/this_task.hpp"
#include "task/timer.hpp"

namespace quoll::debug {
namespace {

struct Blocked {
  std::uint64_t task = 0;
  std::int64_t since_ns = 0;
};
using BlockedWorkers = std::unordered_map<const task::Worker*, Blocked>;

std::string seconds_text(std::int64_t duration_ns) {
  const std::int64_t tenths = duration_ns / 100'000'000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

std::string blocked_text(const task::Worker& worker, const Blocked& blocked) {
  std::string text = worker.name() + " has been blocked for " + seconds_text(task::coarse_now_ns() - blocked.since_ns) +
                     " by task " + std::to_string(blocked.task) + ":\n";
  OutsideWalk walk(worker, SIZE_MAX);
  while (true) {
    const std::vector<TaskSummary> tasks = walk.next();
    for (const TaskSummary& task : tasks) {
      if (task.id == blocked.task) append_task(text, task, FileNames::kReal);
    }
    if (tasks.empty() || walk.complete()) return text;
  }
}

void look_at(const task::Worker& worker, BlockedWorkers& known, const WorkerWatchOptions& options) {
  const Blocked now{worker.running_id(), worker.turn_began_ns()};
  const auto before = known.find(&worker);
  if (before != known.end() && (before->second.task != now.task || before->second.since_ns != now.since_ns)) {
    options.log(worker.name() + " goes on");
    known.erase(before);
  }
  if (known.contains(&worker) || now.task == 0 || running_for(worker) < options.bound) return;
  known[&worker] = now;
  options.log(blocked_text(worker, now));
}

}  // namespace

task::Task<void> watch_workers(task::Runtime& runtime, WorkerWatchOptions options) {
  BlockedWorkers known;
  while (true) {
    co_await task::sleep_for(options.period);
    for (const auto& worker : runtime.workers()) {
      if (worker.get() != &task::this_task::worker()) look_at(*worker, known, options);
    }
  }
}

}  // namespace quoll::debug
