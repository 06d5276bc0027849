// Lineage: who spawned whom, for as long as a descendant lives. A tree of tasks can be shown though its upper tasks
// have ended.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

namespace quoll::task {

struct Lineage;

// A counted reference. Thread: any.
class LineageRef {
 public:
  LineageRef() = default;
  explicit LineageRef(Lineage* lineage) : lineage_(lineage) {}  // takes the count over
  LineageRef(const LineageRef& other);
  LineageRef(LineageRef&& other) noexcept : lineage_(std::exchange(other.lineage_, nullptr)) {}
  LineageRef& operator=(LineageRef other) noexcept {
    std::swap(lineage_, other.lineage_);
    return *this;
  }
  ~LineageRef() {
    if (lineage_ != nullptr) drop();
  }
  explicit operator bool() const { return lineage_ != nullptr; }
  Lineage* operator->() const { return lineage_; }

 private:
  void drop();
  Lineage* lineage_ = nullptr;
};

// One task that has spawned others. Made at its first spawn, so that most tasks have none.
// Thread: any; immutable but for `ended`.
// Limits: a chain of tasks that each spawn their successor is kept kDepthMax deep; what lies above is forgotten.
struct Lineage {
  static constexpr std::uint32_t kDepthMax = 32;

  Lineage(std::uint64_t task_id, std::string_view task_name, LineageRef task_parent)
      : id(task_id), name(task_name), depth(task_parent ? task_parent->depth + 1 : 0) {
    if (depth < kDepthMax) {
      parent = std::move(task_parent);
    } else {
      depth = 0;
    }
  }

  const std::uint64_t id;
  const std::string_view name;  // of static storage
  std::uint32_t depth;
  std::atomic<std::uint32_t> users{1};
  std::atomic<bool> ended{false};
  LineageRef parent;
};

inline LineageRef::LineageRef(const LineageRef& other) : lineage_(other.lineage_) {
  if (lineage_ != nullptr) lineage_->users.fetch_add(1, std::memory_order_relaxed);
}

inline void LineageRef::drop() {
  if (lineage_->users.fetch_sub(1, std::memory_order_acq_rel) == 1) delete lineage_;
}

}  // namespace quoll::task
