// WaitGraph: which blocked tasks can never go on, and why: nobody is left who could end their wait, or they wait for
// each other in a circle.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "debug/leak_facts.hpp"

namespace quoll::debug {

enum class LeakKind : std::uint8_t { kOverdue, kNoSender, kNoReceiver, kHolderGone, kDeadlock };

// One task that can never go on.
struct DeadWait {
  std::uint64_t task = 0;
  LeakKind kind = LeakKind::kDeadlock;
  std::vector<std::uint64_t> cycle;   // of a deadlock: each waits for the next, the last for the first
  std::vector<std::uint64_t> behind;  // tasks that cannot go on because of it, without being at fault themselves
};

// A task is dead where nothing that any other task may still do ends its wait. A mutex's holder, a join's children must
// all do their part; of a channel's ends, and of a select's children, one is enough. Whatever is not known for certain
// counts as alive: an end that lies in no task's frame, or that another task could reach or has used through a
// reference; a holder that is not among the blocked; a wait under a deadline.
//
// `blocked`: tasks that have been waiting since before `located` was gathered, and still were then.
// `all_seen`: no worker was silent, so that a task which was not met is gone.
std::vector<DeadWait> find_dead_waits(const std::vector<BlockedTask>& blocked, const Located& located, bool all_seen);

}  // namespace quoll::debug
