// TaskSummary: one task as plain values, which stay valid when the task has ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "debug/task_view.hpp"
#include "task/cancel.hpp"

namespace quoll::debug {

struct TaskSummary {
  std::uint64_t id = 0;
  std::string_view name;   // of static storage
  std::string_view scope;  // of static storage: the scope that owns it
  std::string worker;
  task::TaskState state = task::TaskState::kIdle;
  std::chrono::nanoseconds waited{0};
  std::chrono::nanoseconds age{0};
  std::uint64_t holder_id = 0;   // 0: none that is known
  std::uint64_t creator_id = 0;  // 0: not created by a task
  const Place* created_at = nullptr;
  std::vector<const Place*> frames;  // innermost first; empty for a worker's running task that could not be read

  task::CancelReason cancel_reason = task::CancelReason::kNone;
  std::chrono::nanoseconds cancelled_ago{0};

  // Of the request that it works for; request_id 0: none.
  std::uint64_t request_id = 0;
  std::string method;
  std::string path;
  std::string route;
  std::string client;
  std::string container;
};

// REQUIRES: called on the task's worker.
TaskSummary summarize(const TaskView& task);

// One JSON object, without a line break. What is not UTF-8 becomes U+FFFD.
void append_json(std::string& out, const TaskSummary& task);

}  // namespace quoll::debug
