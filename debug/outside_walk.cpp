#include "debug/outside_walk.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <source_location>

#include "debug/native_stack.hpp"
#include "debug/native_symbols.hpp"
#include "task/clock.hpp"
#include "task/scope.hpp"
#include "task/timer.hpp"

namespace quoll::debug {
namespace {

constexpr std::size_t kLabelMax = 128;
constexpr std::size_t kFramesCopied = 24;
constexpr std::size_t kAncestorsCopied = 4;
constexpr std::chrono::milliseconds kSignalBound{100};
constexpr int kTries = 20;

struct Text {
  void set(std::string_view text) noexcept {
    size = std::min(text.size(), kLabelMax);
    std::memcpy(bytes.data(), text.data(), size);
  }
  std::string str() const { return {bytes.data(), size}; }
  std::size_t size = 0;
  std::array<char, kLabelMax> bytes;
};

// A task as the handler leaves it.
struct Copy {
  std::uint64_t id;
  std::string_view name;
  std::string_view scope;
  task::TaskState state;
  std::int64_t since_ns;
  std::int64_t started_ns;
  std::source_location created_at;
  std::size_t frame_count;
  std::array<std::source_location, kFramesCopied> frames;
  std::size_t ancestor_count;
  std::array<Ancestor, kAncestorsCopied> ancestors;
  task::CancelReason cancel_reason;
  std::int64_t cancelled_at_ns;
  std::uint64_t cancelled_by;
  std::source_location cancelled_at;

  std::uint64_t request_id;
  std::int64_t request_started_ns;
  std::int64_t client_left_ns;
  Text method, path, route, client, container, container_id;
};

void copy_labels(const task::Labels& labels, Copy& copy) noexcept {
  copy.request_id = labels.request_id;
  copy.request_started_ns = labels.started_ns;
  copy.client_left_ns = labels.client_left_ns.load(std::memory_order_relaxed);
  copy.method.set(labels.method);
  copy.path.set(labels.path);
  copy.route.set(labels.route);
  copy.client.set(labels.client);
  copy.container.set(labels.container());
  copy.container_id.set(labels.container_id());
}

void copy_task(const task::TaskRecord& record, Copy& copy) noexcept {
  copy.id = record.id;
  copy.name = record.name;
  copy.scope = record.scope->name();
  copy.state = record.state;
  copy.since_ns = record.since_ns;
  copy.started_ns = record.started_ns;
  copy.created_at = record.created_at;
  copy.frame_count = 0;
  for (const task::Frame* frame = record.leaf; frame != nullptr && copy.frame_count < kFramesCopied;
       frame = frame->caller) {
    copy.frames[copy.frame_count++] = frame->at;
  }
  copy.ancestor_count = 0;
  for (const task::LineageRef* parent = &record.parent; *parent && copy.ancestor_count < kAncestorsCopied;
       parent = &(*parent)->parent) {
    copy.ancestors[copy.ancestor_count++] = {(*parent)->id, (*parent)->name,
                                             (*parent)->ended.load(std::memory_order_relaxed)};
  }
  const task::Cancellation* const cancellation = record.cancel->cancellation();
  copy.cancel_reason = cancellation != nullptr ? cancellation->reason : task::CancelReason::kNone;
  if (cancellation != nullptr) {
    copy.cancelled_at_ns = cancellation->at_ns;
    copy.cancelled_by = cancellation->by_task;
    copy.cancelled_at = cancellation->place;
  }
  copy.request_id = 0;
  if (record.labels != nullptr) copy_labels(*record.labels, copy);
}

std::chrono::nanoseconds between(std::int64_t from_ns, std::int64_t to_ns) {
  return std::chrono::nanoseconds(std::max<std::int64_t>(0, to_ns - from_ns));
}

TaskSummary summary_of(const Copy& copy, const std::string& worker, std::int64_t now_ns) {
  TaskSummary summary;
  summary.id = copy.id;
  summary.name = copy.name;
  summary.scope = copy.scope;
  summary.worker = worker;
  summary.state = copy.state;
  if (copy.state != task::TaskState::kRunning && copy.state != task::TaskState::kRunnable) {
    summary.waited = between(copy.since_ns, now_ns);
    summary.since_ns = copy.since_ns;
  }
  summary.age = between(copy.started_ns, now_ns);
  summary.ancestors.assign(copy.ancestors.begin(), copy.ancestors.begin() + copy.ancestor_count);
  summary.created_at = &place_of(copy.created_at);
  for (std::size_t i = 0; i < copy.frame_count; ++i) summary.frames.push_back(&place_of(copy.frames[i]));
  if (copy.cancel_reason != task::CancelReason::kNone) {
    summary.cancel_reason = copy.cancel_reason;
    summary.cancelled_ago = between(copy.cancelled_at_ns, now_ns);
    summary.cancelled_by = copy.cancelled_by;
    summary.cancelled_at = &place_of(copy.cancelled_at);
  }
  if (copy.request_id == 0) return summary;
  summary.request_id = copy.request_id;
  summary.method = copy.method.str();
  summary.path = copy.path.str();
  summary.route = copy.route.str();
  summary.client = copy.client.str();
  summary.container = copy.container.str();
  summary.container_id = copy.container_id.str();
  summary.request_age = between(copy.request_started_ns, now_ns);
  if (copy.client_left_ns != 0) summary.client_left_ago = between(copy.client_left_ns, now_ns);
  return summary;
}

}  // namespace

struct OutsideWalk::Copies {
  const task::Worker* worker = nullptr;
  std::size_t cursor = 0;
  bool table_was_changing = false;
  std::size_t count = 0;
  std::array<Copy, kTasksAtOnce> tasks;

  // In the signal handler on the worker's thread.
  static void fill(void* argument, const void*) noexcept {
    Copies& copies = *static_cast<Copies*>(argument);
    copies.count = 0;
    copies.table_was_changing = copies.worker->table_changing();
    if (copies.table_was_changing) return;
    const std::span<task::TaskRecord* const> tasks = copies.worker->tasks();
    copies.cursor = std::min(copies.cursor, tasks.size());
    while (copies.cursor > 0 && copies.count < kTasksAtOnce) {
      copy_task(*tasks[--copies.cursor], copies.tasks[copies.count++]);
    }
  }
};

OutsideWalk::OutsideWalk(const task::Worker& worker, std::size_t cursor)
    : worker_(worker), cursor_(cursor), copies_(std::make_unique<Copies>()) {
  copies_->worker = &worker;
}

OutsideWalk::~OutsideWalk() = default;

std::vector<TaskSummary> OutsideWalk::next() {
  std::vector<TaskSummary> tasks;
  copies_->cursor = cursor_;
  const pid_t thread = worker_.thread_id();
  for (int attempt = 0; attempt < kTries && !complete_ && thread != 0; ++attempt) {
    if (!call_on_thread(thread, kSignalBound, &Copies::fill, copies_.get())) return tasks;
    if (copies_->table_was_changing) continue;
    cursor_ = copies_->cursor;
    complete_ = cursor_ == 0;
    break;
  }
  const std::int64_t now_ns = task::coarse_now_ns();
  const std::uint64_t running = worker_.running_id();
  for (std::size_t i = 0; i < copies_->count; ++i) {
    tasks.push_back(summary_of(copies_->tasks[i], worker_.name(), now_ns));
    if (tasks.back().id != running) continue;
    tasks.back().state = task::TaskState::kRunning;
    tasks.back().running = running_for(worker_);
    tasks.back().native_frames = native_stack_of(worker_);
  }
  copies_->count = 0;
  return tasks;
}

std::vector<std::string> native_stack_of(const task::Worker& worker) {
  std::vector<std::string> lines;
  const pid_t thread = worker.thread_id();
  if (thread == 0) return lines;
  const std::optional<NativeStack> stack = stack_of_thread(thread, kSignalBound);
  if (!stack) return lines;
  for (NativeSymbol& symbol : symbolize_native(stack->frames())) lines.push_back(std::move(symbol.function));
  return lines;
}

std::chrono::nanoseconds running_for(const task::Worker& worker) {
  if (worker.running_id() == 0) return std::chrono::nanoseconds(0);
  return between(worker.turn_began_ns(), task::coarse_now_ns());
}

}  // namespace quoll::debug
