#include "debug/text.hpp"

#include <algorithm>
#include <charconv>
#include <span>
#include <string_view>

#include "task/cancel.hpp"

namespace quoll::debug {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::string_view kUnavailable = "\tgoroutine running on other thread; stack unavailable\n";

void append_number(std::string& out, std::uint64_t value) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

// What a paragraph is made of, wherever that comes from.
struct Line {
  std::uint64_t id = 0;
  task::TaskState state = task::TaskState::kIdle;
  std::chrono::nanoseconds waited{0};
  std::chrono::nanoseconds running{0};
  std::uint64_t holder_id = 0;
  task::CancelReason cancel_reason = task::CancelReason::kNone;
  std::chrono::nanoseconds cancelled_ago{0};
  std::string_view mark;
  std::span<const Place* const> frames;
  std::span<const std::string> native_frames;
  const Place* created_at = nullptr;
  std::uint64_t creator_id = 0;
};

void append_seconds(std::string& out, std::chrono::nanoseconds duration) {
  append_number(out, static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()) / kSecondNs));
  out += 's';
}

void append_state(std::string& out, const Line& line) {
  out += task::to_string(line.state);
  const std::int64_t minutes = line.waited.count() / (60 * kSecondNs);
  if (minutes >= 1) {
    out += ", ";
    append_number(out, static_cast<std::uint64_t>(minutes));
    out += " minutes";
  }
  if (line.running.count() > 0) append_seconds(out += ", blocks its worker for ", line.running);
  if (line.holder_id != 0) append_number(out += ", held by ", line.holder_id);
  if (line.cancel_reason != task::CancelReason::kNone) {
    append_seconds(out += ", cancelled ", line.cancelled_ago);
    (out += " ago (").append(task::to_string(line.cancel_reason)) += ')';
  }
  if (!line.mark.empty()) (out += ", ").append(line.mark);
}

void append_line(std::string& out, const Line& line, FileNames files) {
  const int names = static_cast<int>(files);
  out += "goroutine ";
  append_number(out, line.id);
  out += " [";
  append_state(out, line);
  out += "]:\n";
  for (const std::string& frame : line.native_frames) {
    out.append(frame).append("(...)\n\tnative").append(files == FileNames::kGo ? "#.go" : "").append(":0\n");
  }
  for (const Place* place : line.frames) out += place->frame_text[names];
  if (line.frames.empty() && line.native_frames.empty()) out += kUnavailable;
  if (line.created_at == nullptr) return;
  out += "created by ";
  out += line.created_at->function;
  if (line.creator_id != 0) append_number(out += " in goroutine ", line.creator_id);
  out += line.created_at->origin_text[names];
}

}  // namespace

void append_task(std::string& out, const TaskView& task, FileNames files, std::string_view mark) {
  const task::TaskRecord& record = task.record;
  Line line{.id = record.id,
            .state = record.state,
            .waited = task.waited(),
            .holder_id = task.holder_id(),
            .mark = mark,
            .frames = task.frames,
            .created_at = &place_of(record.created_at),
            .creator_id = record.creator_id()};
  if (const task::Cancellation* const cancellation = record.cancel->cancellation()) {
    line.cancel_reason = cancellation->reason;
    line.cancelled_ago = std::chrono::nanoseconds(task.now_ns - cancellation->at_ns);
  }
  append_line(out, line, files);
}

void append_task(std::string& out, const TaskSummary& task, FileNames files) {
  append_line(out,
              {.id = task.id,
               .state = task.state,
               .waited = task.waited,
               .running = task.running,
               .holder_id = task.holder_id(),
               .cancel_reason = task.cancel_reason,
               .cancelled_ago = task.cancelled_ago,
               .frames = task.frames,
               .native_frames = task.native_frames,
               .created_at = task.created_at,
               .creator_id = task.parent()},
              files);
}

}  // namespace quoll::debug
