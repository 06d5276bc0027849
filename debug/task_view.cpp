#include "debug/task_view.hpp"

#include <coroutine>

namespace quoll::debug {
namespace {

// Stands for the frames that are left out.
const Place& frames_elided() {
  static const Place& place = place_of(std::source_location::current());
  return place;
}

}  // namespace

std::span<const Place* const> StackReader::read(const task::TaskRecord& record) {
  std::size_t count = 0;
  const task::Frame* frame = record.leaf;
  for (; frame != nullptr && count < kFramesMax; frame = frame->caller) places_[count++] = &place_of(frame->at);
  if (frame != nullptr && frame->caller != nullptr) {
    places_[count++] = &frames_elided();
    frame = &std::coroutine_handle<task::Frame>::from_address(record.root.address()).promise();
  }
  if (frame != nullptr) places_[count++] = &place_of(frame->at);
  return {places_.data(), count};
}

}  // namespace quoll::debug
