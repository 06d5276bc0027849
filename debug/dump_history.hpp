// DumpHistory: which tasks earlier dumps have shown, so that a later one can tell what has changed since.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "debug/summary.hpp"

namespace quoll::debug {

// What is kept of one dump.
struct PastDump {
  struct Entry {
    std::uint64_t task = 0;
    std::string_view name;  // of static storage
  };

  std::uint64_t id = 0;
  std::int64_t began_ns = 0;  // coarse monotonic
  std::vector<Entry> tasks;   // sorted by id
  bool has(std::uint64_t task) const;
};

// Thread: any.
// Limits: the newest kDumpsMax dumps, no more than kTasksMax tasks of all together, kSecondsMax long.
class DumpHistory {
 public:
  static constexpr std::size_t kDumpsMax = 8;
  static constexpr std::size_t kTasksMax = 1'000'000;
  static constexpr std::int64_t kSecondsMax = 3600;

  // Gives the dump its id; 0 where it is too large to be kept.
  std::uint64_t keep(PastDump dump);
  // Null where it is not known, or not any more.
  std::shared_ptr<const PastDump> find(std::uint64_t id) const;

  // That of this process.
  static DumpHistory& instance();

 private:
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const PastDump>> dumps_;  // guarded by mutex_; oldest first
  std::size_t tasks_ = 0;                              // guarded by mutex_
  std::uint64_t next_id_ = 1;                          // guarded by mutex_
};

// Compares the tasks of a dump, as they come, with an earlier one's.
class DumpDifference {
 public:
  explicit DumpDifference(std::shared_ptr<const PastDump> past) : past_(std::move(past)) {}

  // "new", "moved" (it has left its state since), or "same".
  std::string_view change_of(const TaskSummary& task);
  // Those of the past that have not come.
  std::vector<PastDump::Entry> gone() const;
  std::uint64_t past_id() const { return past_->id; }

 private:
  const std::shared_ptr<const PastDump> past_;
  std::unordered_set<std::uint64_t> seen_;
};

}  // namespace quoll::debug
