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

// One of the tasks above a task, which may have ended.
struct Ancestor {
  std::uint64_t id = 0;
  std::string_view name;  // of static storage
  bool ended = false;
};

struct TaskSummary {
  std::uint64_t id = 0;
  std::string_view name;   // of static storage
  std::string_view scope;  // of static storage: the scope that owns it
  std::string worker;
  task::TaskState state = task::TaskState::kIdle;
  std::chrono::nanoseconds waited{0};
  std::int64_t since_ns = 0;            // when it came into its state, coarse monotonic; 0 where it runs or is about to
  std::chrono::nanoseconds running{0};  // of a silent worker's task: for how long the worker has not answered
  std::chrono::nanoseconds age{0};
  std::vector<Ancestor> ancestors;  // its parent first
  const Place* created_at = nullptr;
  std::vector<const Place*> frames;        // innermost first; empty for a running task that could not be read
  std::vector<std::string> native_frames;  // of a silent worker's running task, innermost first

  // What it waits for: the tasks that hold or serve it, and how many of those there are, known or not.
  bool waits_for_object = false;
  std::vector<std::uint64_t> holders;
  std::uint32_t holder_count = 0;

  task::CancelReason cancel_reason = task::CancelReason::kNone;
  std::chrono::nanoseconds cancelled_ago{0};
  std::uint64_t cancelled_by = 0;  // the task that cancelled; 0: none did
  const Place* cancelled_at = nullptr;

  // Of the request that it works for; request_id 0: none.
  std::uint64_t request_id = 0;
  std::string method;
  std::string path;
  std::string route;
  std::string client;
  std::string container;     // its name
  std::string container_id;  // all 64 digits
  std::chrono::nanoseconds request_age{0};
  std::chrono::nanoseconds client_left_ago{-1};  // -1: it is there

  std::uint64_t parent() const { return ancestors.empty() ? 0 : ancestors.front().id; }
  // The first that is known of those that it waits for; 0: none.
  std::uint64_t holder_id() const { return holders.empty() ? 0 : holders.front(); }
};

// REQUIRES: called on the task's worker.
TaskSummary summarize(const TaskView& task);

// One JSON object, without a line break; `change`, where not empty, is what has become of it since another dump.
void append_json(std::string& out, const TaskSummary& task, std::string_view change = {});

// "channel", "mutex", ...: what a task in that state waits for; "" where it waits for nothing.
std::string_view awaited_kind(task::TaskState state);

}  // namespace quoll::debug
