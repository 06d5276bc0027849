#include "debug/leaks.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "debug/dump.hpp"
#include "debug/json_text.hpp"
#include "debug/text.hpp"

namespace quoll::debug {
namespace {

// First pass: who is overdue, and who waits for other tasks.
class SuspectVisitor final : public Visitor {
 public:
  explicit SuspectVisitor(const LeakOptions& options) : options_(options) {}
  void visit(const TaskView& task, Chunk& into) override {
    collect_overdue(task, options_.grace, into.overdue);
    collect_blocked(task, options_.blocked, into.blocked);
  }
  bool full(const Chunk& chunk) const override {
    return chunk.blocked.size() + chunk.overdue.size() >= Walk::kChunkSummaries;
  }
  bool wants_frames() const override { return false; }

 private:
  const LeakOptions options_;
};

// Second pass: who has what they wait for, and whether they still do.
class LocateVisitor final : public Visitor {
 public:
  explicit LocateVisitor(std::shared_ptr<const Wanted> wanted) : wanted_(std::move(wanted)) {}
  void visit(const TaskView& task, Chunk& into) override { locate(task, *wanted_, into.located); }
  bool full(const Chunk& chunk) const override { return chunk.located.still_blocked.size() >= Walk::kChunkSummaries; }
  bool wants_frames() const override { return false; }

 private:
  const std::shared_ptr<const Wanted> wanted_;
};

struct Suspects {
  std::vector<BlockedTask> blocked;
  std::vector<OverdueTask> overdue;
};

std::shared_ptr<const Filter> everything() { return std::make_shared<const Filter>(DumpOptions{}); }

task::Task<WalkFacts> gather_suspects(task::Runtime& runtime, LeakOptions options, Suspects* suspects) {
  Walk walk(runtime, everything(), [options] { return std::make_unique<SuspectVisitor>(options); });
  while (std::optional<Chunk> chunk = co_await walk.next()) {
    std::move(chunk->blocked.begin(), chunk->blocked.end(), std::back_inserter(suspects->blocked));
    std::move(chunk->overdue.begin(), chunk->overdue.end(), std::back_inserter(suspects->overdue));
  }
  co_return walk.facts();
}

task::Task<WalkFacts> gather_located(task::Runtime& runtime, std::shared_ptr<const Wanted> wanted, Located* located) {
  Walk walk(runtime, everything(), [wanted] { return std::make_unique<LocateVisitor>(wanted); });
  while (std::optional<Chunk> chunk = co_await walk.next()) located->merge(chunk->located);
  co_return walk.facts();
}

std::shared_ptr<const Wanted> wanted_for(const std::vector<BlockedTask>& blocked) {
  const auto wanted = std::make_shared<Wanted>();
  for (const BlockedTask& task : blocked) {
    wanted->blocked.emplace(task.id, task.since_ns);
    for (const task::WaitHolder& holder : task.holders) {
      if (holder.at != nullptr) wanted->places.push_back(holder.at);
      if (task.state == task::TaskState::kMutexLock && holder.task != 0) wanted->tasks.insert(holder.task);
    }
  }
  std::sort(wanted->places.begin(), wanted->places.end());
  wanted->places.erase(std::unique(wanted->places.begin(), wanted->places.end()), wanted->places.end());
  return wanted;
}

std::string seconds_text(std::chrono::nanoseconds duration) {
  const std::int64_t tenths = duration.count() / 100'000'000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

std::string overdue_reason(const OverdueTask& overdue, const TaskSummary& task) {
  std::string reason = overdue.client_left ? "the client of its request left " : "it was cancelled (";
  if (!overdue.client_left) reason.append(task::to_string(overdue.reason)).append(") ");
  reason += seconds_text(overdue.ago) + " ago, and it has not ended: ";
  if (task.state == task::TaskState::kSyscall) {
    reason += "it waits for a blocking call, which cannot be cut short";
  } else if (task.state == task::TaskState::kWaitGroupWait || task.state == task::TaskState::kSelect) {
    reason += "it waits for tasks of its own to end";
  } else if (task.state == task::TaskState::kRunning || task.state == task::TaskState::kRunnable) {
    reason += "it goes on running";
  } else if (task.cancel_reason == task::CancelReason::kNone) {
    reason += "it is shielded from that, and waits (" + std::string(task::to_string(task.state)) + ")";
  } else {
    reason += "it waits (" + std::string(task::to_string(task.state)) + ")";
  }
  return reason;
}

std::string cycle_text(const std::vector<std::uint64_t>& cycle) {
  std::string text;
  for (const std::uint64_t id : cycle) text += std::to_string(id) + " waits for ";
  return text + std::to_string(cycle.front());
}

std::string dead_reason(const DeadWait& dead) {
  switch (dead.kind) {
    case LeakKind::kNoSender:
      return "it waits for a value of a channel that has no live sender: no other task can send to it";
    case LeakKind::kNoReceiver:
      return "it waits for room in a channel that has no live receiver: no other task can receive from it";
    case LeakKind::kHolderGone:
      return "it waits for a mutex whose holder is gone: the task that locked it has ended and has not unlocked it";
    default:
      return "deadlock: " + cycle_text(dead.cycle);
  }
}

// The tasks convicted, by id; one that is overdue and dead is called overdue.
using Verdicts = std::map<std::uint64_t, Leak>;

Verdicts judge(const Suspects& suspects, const std::vector<DeadWait>& dead) {
  Verdicts verdicts;
  for (const DeadWait& wait : dead) {
    Leak& leak = verdicts[wait.task];
    leak.kind = wait.kind;
    leak.reason = dead_reason(wait);
    leak.cycle = wait.cycle;
    leak.behind = wait.behind;
  }
  for (const OverdueTask& overdue : suspects.overdue) verdicts[overdue.id].kind = LeakKind::kOverdue;
  return verdicts;
}

}  // namespace

std::string_view to_string(LeakKind kind) {
  switch (kind) {
    case LeakKind::kOverdue:
      return "overdue";
    case LeakKind::kNoSender:
      return "no sender";
    case LeakKind::kNoReceiver:
      return "no receiver";
    case LeakKind::kHolderGone:
      return "holder gone";
    case LeakKind::kDeadlock:
      return "deadlock";
  }
  return "";
}

task::Task<LeakReport> find_leaks(task::Runtime& runtime, LeakOptions options) {
  LeakReport report;
  Suspects suspects;
  report.facts = co_await gather_suspects(runtime, options, &suspects);
  std::vector<DeadWait> dead;
  if (!suspects.blocked.empty()) {
    Located located;
    const WalkFacts facts = co_await gather_located(runtime, wanted_for(suspects.blocked), &located);
    dead = find_dead_waits(suspects.blocked, located, report.facts.complete() && facts.complete());
  }
  Verdicts verdicts = judge(suspects, dead);
  if (verdicts.empty()) co_return report;
  auto ids = std::make_shared<std::unordered_set<std::uint64_t>>();
  for (const auto& [id, leak] : verdicts) ids->insert(id);
  DumpOptions only;
  only.only = ids;
  for (TaskSummary& task : co_await list_tasks(runtime, std::move(only))) {
    const auto verdict = verdicts.find(task.id);
    if (verdict != verdicts.end()) verdict->second.task = std::move(task);
  }
  for (const OverdueTask& overdue : suspects.overdue) {
    Leak& leak = verdicts[overdue.id];
    leak.reason = overdue_reason(overdue, leak.task);
  }
  for (auto& [id, leak] : verdicts) {
    if (leak.task.id == id) report.leaks.push_back(std::move(leak));  // else it has ended meanwhile
  }
  co_return report;
}

std::string leaks_text(const LeakReport& report) {
  std::string text;
  for (const Leak& leak : report.leaks) {
    if (!text.empty()) text += '\n';
    text.append("leak (").append(to_string(leak.kind)).append("): ").append(leak.reason).append("\n");
    if (leak.task.request_id != 0) {
      text.append("request ").append(std::to_string(leak.task.request_id)).append(": ").append(leak.task.method);
      text.append(" ").append(leak.task.route).append(" from ").append(leak.task.client).append("\n");
    }
    append_task(text, leak.task, FileNames::kReal);
  }
  return text;
}

std::string leaks_json(const LeakReport& report, const LeakOptions& options) {
  std::string out;
  {
    JsonObject object(out);
    const auto append_id = [&out](std::uint64_t id) { append_json_number(out, id); };
    append_json_array(object.member("verdicts"), report.leaks, [&](const Leak& leak) {
      out += '\n';
      JsonObject verdict(out);
      verdict.text("kind", to_string(leak.kind));
      verdict.text("reason", leak.reason);
      if (!leak.cycle.empty()) append_json_array(verdict.member("cycle"), leak.cycle, append_id);
      if (!leak.behind.empty()) append_json_array(verdict.member("behind"), leak.behind, append_id);
      append_json(verdict.member("task"), leak.task);
    });
    object.number("count", std::uint64_t{report.leaks.size()});
    object.flag("complete", report.facts.complete());
    object.number("grace_ms", static_cast<std::uint64_t>(options.grace.count() / 1'000'000));
    object.number("looked_at", std::uint64_t{report.facts.tasks});
  }
  out += '\n';
  return out;
}

}  // namespace quoll::debug
