#include "task/timer_queue.hpp"

#include <utility>

#include "task/assert.hpp"

namespace quoll::task {

void TimerQueue::place(TimerNode* node, std::size_t index) {
  heap_[index] = node;
  node->index_ = index;
}

void TimerQueue::sift_up(std::size_t index) {
  TimerNode* const node = heap_[index];
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (heap_[parent]->deadline_ns_ <= node->deadline_ns_) break;
    place(heap_[parent], index);
    index = parent;
  }
  place(node, index);
}

void TimerQueue::sift_down(std::size_t index) {
  TimerNode* const node = heap_[index];
  while (true) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->deadline_ns_ < heap_[child]->deadline_ns_) ++child;
    if (node->deadline_ns_ <= heap_[child]->deadline_ns_) break;
    place(heap_[child], index);
    index = child;
  }
  place(node, index);
}

void TimerQueue::arm(TimerNode& node, std::int64_t deadline_ns) {
  QUOLL_ASSERT(!node.armed());
  node.deadline_ns_ = deadline_ns;
  heap_.push_back(&node);
  node.index_ = heap_.size() - 1;
  sift_up(node.index_);
}

void TimerQueue::disarm(TimerNode& node) {
  if (!node.armed()) return;
  const std::size_t index = std::exchange(node.index_, TimerNode::kUnarmed);
  TimerNode* const last = heap_.back();
  heap_.pop_back();
  if (last == &node) return;
  place(last, index);
  sift_up(index);
  sift_down(last->index_);
}

void TimerQueue::fire_due(std::int64_t now_ns) {
  while (!heap_.empty() && heap_.front()->deadline_ns_ <= now_ns) {
    TimerNode& node = *heap_.front();
    disarm(node);
    node.fire();
  }
}

}  // namespace quoll::task
