// What tasks do in a window of time, as Chrome's trace events: a format that Perfetto and chrome://tracing open.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "task/runtime.hpp"
#include "task/task.hpp"
#include "task/trace.hpp"

namespace quoll::debug {

// Takes the next piece of the answer; valid until its await ends.
using TraceSink = std::function<task::Task<void>(std::string_view)>;

// Watches all workers for `duration`, and then writes
//   {"displayTimeUnit":"ms","traceEvents":[...],"otherData":{...}}
// A worker is a thread in it, with a slice for each stretch that a task ran; a task's waits are asynchronous slices of
// their own with the state's name, from one stretch to the next; the starts and ends of tasks are instants.
//
// Cancel: ends the watching.
// Errors: Error{kInternal} "tracing is already enabled"; what the sink throws.
// Limits: TraceLog::kSlicesMax slices a worker; otherData says how many were dropped.
task::Task<void> stream_trace(task::Runtime& runtime, std::chrono::nanoseconds duration, TraceSink sink);

// Makes the events. One worker after the other, each in the order of time.
class TraceEncoder {
 public:
  TraceEncoder(std::int64_t start_ns, std::int64_t end_ns) : start_ns_(start_ns), end_ns_(end_ns) {}

  // Names the thread of the events that follow.
  void begin_worker(std::size_t number, std::string_view name);
  void add(const task::RunSlice& slice);
  // The waits that go on at the window's end.
  void end_worker();
  // What has been made since the last call; the first begins with no comma.
  std::string take() { return std::exchange(out_, {}); }

 private:
  struct OpenWait {
    task::TaskState state;
    std::source_location at;
    std::int64_t since_ns;
    std::string_view task;
  };

  void begin_event(std::string_view kind, std::string_view name, std::int64_t at_ns);
  void add_wait(std::uint64_t task_id, const OpenWait& wait, std::int64_t until_ns);

  const std::int64_t start_ns_;
  const std::int64_t end_ns_;
  std::string out_;
  bool first_ = true;
  std::size_t worker_ = 0;
  std::unordered_map<std::uint64_t, OpenWait> waits_;  // by task
};

}  // namespace quoll::debug
