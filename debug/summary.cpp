#include "debug/summary.hpp"

#include <algorithm>
#include <ctime>

#include "debug/json_text.hpp"
#include "task/scope.hpp"
#include "task/worker.hpp"

namespace quoll::debug {
namespace {

std::uint64_t milliseconds(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()) / 1'000'000);
}

void append_place(std::string& out, const Place& place) {
  JsonObject object(out);
  object.text("function", place.function);
  object.text("file", place.file);
  object.number("line", place.line);
}

// "2026-11-23T21:49:58.123Z", `ago` before now.
std::string wall_time(std::chrono::nanoseconds ago) {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch() - ago;
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch).count();
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count() % 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &utc);
  const std::string fraction = std::to_string(1000 + millis);
  return std::string(text, size) + fraction.substr(1) + "Z";
}

void append_awaited(std::string& out, const TaskSummary& task) {
  JsonObject object(out);
  object.text("kind", awaited_kind(task.state));
  if (!task.waits_for_object) return;
  if (task.state == task::TaskState::kMutexLock) {
    object.number("holder", task.holder_id());
    return;
  }
  std::string_view name = "tasks";
  if (task.state == task::TaskState::kChanReceive) name = "senders";
  if (task.state == task::TaskState::kChanSend) name = "receivers";
  append_json_array(object.member(name), task.holders, [&](std::uint64_t id) { append_json_number(out, id); });
  object.number("count", task.holder_count);
}

void append_cancel(std::string& out, const TaskSummary& task) {
  JsonObject object(out);
  object.text("reason", task::to_string(task.cancel_reason));
  object.text("at", wall_time(task.cancelled_ago));
  object.number("ago_ms", milliseconds(task.cancelled_ago));
  object.number("by", task.cancelled_by);
  if (task.cancelled_at != nullptr) append_place(object.member("place"), *task.cancelled_at);
}

void append_request(std::string& out, const TaskSummary& task) {
  JsonObject object(out);
  object.number("id", task.request_id);
  object.text("method", task.method);
  object.text("path", task.path);
  object.text("route", task.route);
  object.text("client", task.client);
  object.text("container", task.container);
  object.text("container_id", task.container_id);
  object.number("age_ms", milliseconds(task.request_age));
  if (task.client_left_ago.count() >= 0) object.number("client_left_ms", milliseconds(task.client_left_ago));
}

void append_ancestor(std::string& out, const Ancestor& ancestor) {
  JsonObject object(out);
  object.number("id", ancestor.id);
  object.text("name", ancestor.name);
  object.flag("ended", ancestor.ended);
}

std::chrono::nanoseconds between(std::int64_t from_ns, std::int64_t to_ns) {
  return std::chrono::nanoseconds(std::max<std::int64_t>(0, to_ns - from_ns));
}

void summarize_wait(TaskSummary& summary, const TaskView& task) {
  if (!task.waiting() || task.record.wait == nullptr) return;
  const task::WaitTarget target = task.record.wait->target();
  summary.waits_for_object = target.object != nullptr && (target.count > 0 || target.any);
  summary.holder_count = target.count;
  for (std::uint32_t i = 0; i < target.listed; ++i) {
    if (target.holders[i].task != 0) summary.holders.push_back(target.holders[i].task);
  }
}

void summarize_request(TaskSummary& summary, const task::Labels& labels, std::int64_t now_ns) {
  summary.request_id = labels.request_id;
  summary.method = labels.method;
  summary.path = labels.path;
  summary.route = labels.route;
  summary.client = labels.client;
  summary.container = labels.container();
  summary.container_id = labels.container_id();
  summary.request_age = between(labels.started_ns, now_ns);
  const std::int64_t left_ns = labels.client_left_ns.load(std::memory_order_relaxed);
  if (left_ns != 0) summary.client_left_ago = between(left_ns, now_ns);
}

}  // namespace

std::string_view awaited_kind(task::TaskState state) {
  switch (state) {
    case task::TaskState::kIdle:
    case task::TaskState::kRunnable:
    case task::TaskState::kRunning:
      return "";
    case task::TaskState::kIoWait:
      return "io";
    case task::TaskState::kSleep:
      return "time";
    case task::TaskState::kChanReceive:
    case task::TaskState::kChanSend:
      return "channel";
    case task::TaskState::kSelect:
    case task::TaskState::kWaitGroupWait:
      return "children";
    case task::TaskState::kSelectNoCases:
      return "cancellation";
    case task::TaskState::kMutexLock:
      return "mutex";
    case task::TaskState::kSemAcquire:
      return "semaphore";
    case task::TaskState::kCondWait:
      return "event";
    case task::TaskState::kSyscall:
      return "call";
  }
  return "";
}

TaskSummary summarize(const TaskView& task) {
  const task::TaskRecord& record = task.record;
  TaskSummary summary;
  summary.id = record.id;
  summary.name = record.name;
  summary.scope = record.scope->name();
  summary.worker = record.worker->name();
  summary.state = record.state;
  summary.waited = task.waited();
  summary.since_ns = task.waiting() ? record.since_ns : 0;
  summary.age = between(record.started_ns, task.now_ns);
  for (const task::LineageRef* parent = &record.parent; *parent; parent = &(*parent)->parent) {
    summary.ancestors.push_back({(*parent)->id, (*parent)->name, (*parent)->ended.load(std::memory_order_relaxed)});
  }
  summary.created_at = &place_of(record.created_at);
  summary.frames.assign(task.frames.begin(), task.frames.end());
  summarize_wait(summary, task);
  if (const task::Cancellation* const cancellation = record.cancel->cancellation()) {
    summary.cancel_reason = cancellation->reason;
    summary.cancelled_ago = between(cancellation->at_ns, task.now_ns);
    summary.cancelled_by = cancellation->by_task;
    summary.cancelled_at = &place_of(cancellation->place);
  }
  if (record.labels != nullptr) summarize_request(summary, *record.labels, task.now_ns);
  return summary;
}

void append_json(std::string& out, const TaskSummary& task, std::string_view change) {
  JsonObject object(out);
  object.number("id", task.id);
  object.text("name", task.name);
  object.text("state", task::to_string(task.state));
  object.number("wait_ms", milliseconds(task.waited));
  object.number("age_ms", milliseconds(task.age));
  if (!change.empty()) object.text("change", change);
  object.text("scope", task.scope);
  object.text("worker", task.worker);
  object.number("parent", task.parent());
  if (!task.ancestors.empty()) {
    append_json_array(object.member("ancestors"), task.ancestors,
                      [&](const Ancestor& ancestor) { append_ancestor(out, ancestor); });
  }
  if (task.created_at != nullptr) append_place(object.member("creator"), *task.created_at);
  if (!awaited_kind(task.state).empty()) append_awaited(object.member("waits_for"), task);
  if (task.cancel_reason != task::CancelReason::kNone) append_cancel(object.member("cancel"), task);
  if (task.request_id != 0) append_request(object.member("request"), task);
  append_json_array(object.member("stack"), task.frames, [&](const Place* place) { append_place(out, *place); });
  if (task.running.count() > 0) object.number("running_ms", milliseconds(task.running));
  if (!task.native_frames.empty()) {
    append_json_array(object.member("native_stack"), task.native_frames,
                      [&](const std::string& frame) { append_json_string(out, frame); });
  }
}

}  // namespace quoll::debug
