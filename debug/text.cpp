#include "debug/text.hpp"

#include <charconv>
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

void append_state(std::string& out, const TaskView& task) {
  out += task::to_string(task.record.state);
  const std::int64_t minutes = task.waited().count() / (60 * kSecondNs);
  if (minutes >= 1) {
    out += ", ";
    append_number(out, static_cast<std::uint64_t>(minutes));
    out += " minutes";
  }
  if (const std::uint64_t holder = task.holder_id(); holder != 0) {
    out += ", held by ";
    append_number(out, holder);
  }
  const task::CancelNode* const cancel = task.record.cancel;
  if (cancel != nullptr && cancel->cancelled()) {
    const std::int64_t ago = std::max<std::int64_t>(0, task.now_ns - cancel->cancelled_at_ns());
    out += ", cancelled ";
    append_number(out, static_cast<std::uint64_t>(ago / kSecondNs));
    out += "s ago (";
    out += task::to_string(cancel->reason());
    out += ')';
  }
}

}  // namespace

void append_task(std::string& out, const TaskView& task, FileNames files) {
  const int names = static_cast<int>(files);
  out += "goroutine ";
  append_number(out, task.record.id);
  out += " [";
  append_state(out, task);
  out += "]:\n";
  for (const Place* place : task.frames) out += place->frame_text[names];
  if (task.frames.empty()) out += kUnavailable;
  const Place& origin = place_of(task.record.created_at);
  out += "created by ";
  out += origin.function;
  if (task.record.creator_id() != 0) {
    out += " in goroutine ";
    append_number(out, task.record.creator_id());
  }
  out += origin.origin_text[names];
}

void append_unavailable_task(std::string& out, std::uint64_t id) {
  out += "goroutine ";
  append_number(out, id);
  out += " [running]:\n";
  out += kUnavailable;
}

}  // namespace quoll::debug
