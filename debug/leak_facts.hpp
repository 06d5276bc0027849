// What the search for leaks collects from the workers: who is overdue, who is blocked on what, and in whose frames the
// guards and channel ends lie.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "task/record.hpp"

namespace quoll::debug {

struct TaskView;

// A task that waits for other tasks.
struct BlockedTask {
  std::uint64_t id = 0;
  std::int64_t since_ns = 0;
  task::TaskState state = task::TaskState::kIdle;
  const task::Scope* scope = nullptr;  // that it is a child of; to be compared only
  const void* object = nullptr;        // that it waits for; to be compared only
  bool any = false;
  bool timed = false;  // a deadline will end the wait
  std::uint32_t count = 0;
  std::vector<task::WaitHolder> holders;
};

// A task that has been told to end, or whose client has left, longer ago than the grace time.
struct OverdueTask {
  std::uint64_t id = 0;
  bool client_left = false;
  std::chrono::nanoseconds ago{0};
  task::CancelReason reason = task::CancelReason::kNone;
};

// Where to look for whom.
struct Wanted {
  std::vector<const void*> places;                          // sorted
  std::unordered_set<std::uint64_t> tasks;                  // whether they live
  std::unordered_map<std::uint64_t, std::int64_t> blocked;  // since when; whether they still are
};

// The memory of one coroutine frame.
struct FrameBlock {
  const char* begin;
  const char* end;
  bool has(const void* place) const { return begin <= place && place < end; }
};

// What was found of it.
struct Located {
  std::unordered_map<const void*, std::uint64_t> owner;  // the task whose frame a place lies in
  std::unordered_set<std::uint64_t> alive;
  std::unordered_set<std::uint64_t> still_blocked;
  std::unordered_map<std::uint64_t, std::vector<FrameBlock>> frames;  // of the tasks that may be blocked
  std::unordered_set<const void*> scopes;                             // that have tasks, but for bystanders

  void merge(const Located& other);
};

// REQUIRES: all on the task's worker.

// Adds the task where it has been waiting for other tasks for at least `at_least`.
void collect_blocked(const TaskView& task, std::chrono::nanoseconds at_least, std::vector<BlockedTask>& into);
void collect_overdue(const TaskView& task, std::chrono::nanoseconds grace, std::vector<OverdueTask>& into);
// Looks for the wanted places in the task's frames.
void locate(const TaskView& task, const Wanted& wanted, Located& into);

}  // namespace quoll::debug
