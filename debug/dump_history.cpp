#include "debug/dump_history.hpp"

#include <algorithm>

#include "task/clock.hpp"

namespace quoll::debug {

bool PastDump::has(std::uint64_t task) const {
  const auto entry = std::lower_bound(tasks.begin(), tasks.end(), task,
                                      [](const Entry& known, std::uint64_t id) { return known.task < id; });
  return entry != tasks.end() && entry->task == task;
}

DumpHistory& DumpHistory::instance() {
  static auto& history = *new DumpHistory;
  return history;
}

std::uint64_t DumpHistory::keep(PastDump dump) {
  if (dump.tasks.size() > kTasksMax) return 0;
  std::sort(dump.tasks.begin(), dump.tasks.end(),
            [](const PastDump::Entry& a, const PastDump::Entry& b) { return a.task < b.task; });
  dump.tasks.shrink_to_fit();
  std::lock_guard lock(mutex_);
  dump.id = next_id_++;
  tasks_ += dump.tasks.size();
  const std::int64_t oldest_ns = dump.began_ns - kSecondsMax * 1'000'000'000;
  dumps_.push_back(std::make_shared<const PastDump>(std::move(dump)));
  while (dumps_.size() > kDumpsMax || tasks_ > kTasksMax || dumps_.front()->began_ns < oldest_ns) {
    tasks_ -= dumps_.front()->tasks.size();
    dumps_.pop_front();
  }
  return next_id_ - 1;
}

std::shared_ptr<const PastDump> DumpHistory::find(std::uint64_t id) const {
  std::lock_guard lock(mutex_);
  for (const auto& dump : dumps_) {
    if (dump->id == id) return dump;
  }
  return nullptr;
}

std::string_view DumpDifference::change_of(const TaskSummary& task) {
  seen_.insert(task.id);
  if (!past_->has(task.id)) return "new";
  return task.since_ns != 0 && task.since_ns <= past_->began_ns ? "same" : "moved";
}

std::vector<PastDump::Entry> DumpDifference::gone() const {
  std::vector<PastDump::Entry> gone;
  for (const PastDump::Entry& entry : past_->tasks) {
    if (!seen_.contains(entry.task)) gone.push_back(entry);
  }
  return gone;
}

}  // namespace quoll::debug
