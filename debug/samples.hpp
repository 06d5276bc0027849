// Samples: how many tasks have the same stack and labels; and the debug=1 text that is made of them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "debug/task_view.hpp"

namespace quoll::debug {

// What tasks are told apart by. Ids are not among them, so that a thousand followers are one sample.
struct SampleKey {
  std::vector<const Place*> stack;  // innermost first, never empty
  std::string_view task;            // its name, of static storage
  task::TaskState state = task::TaskState::kIdle;
  std::string route;
  std::string container;

  bool operator==(const SampleKey&) const = default;
};

struct SampleKeyHash {
  std::size_t operator()(const SampleKey& key) const;
};

using Sample = std::pair<SampleKey, std::int64_t>;

// Limits: as large as there are distinct stacks and labels.
class StackCounts {
 public:
  void add(const TaskView& task);
  void add(SampleKey key, std::int64_t count) { counts_[std::move(key)] += count; }
  // Adds the other's counts `sign` times: -1 makes a difference.
  void merge(const StackCounts& other, std::int64_t sign = 1);

  std::size_t size() const { return counts_.size(); }
  // Those that are not 0: highest count first, equal ones by their stacks.
  std::vector<Sample> sorted() const;

 private:
  std::unordered_map<SampleKey, std::int64_t, SampleKeyHash> counts_;
};

// The labels of a sample in debug=0 and debug=1, sorted by name; empty ones are left out.
std::vector<std::pair<std::string_view, std::string>> labels_of(const SampleKey& key);

// Parts of a text profile: " 0x1 0x2", "\n# labels: {...}" (nothing where there are none), and a line for each frame.
void append_pcs(std::string& out, std::span<const Place* const> stack);
void append_labels_comment(std::string& out, const std::vector<std::pair<std::string_view, std::string>>& labels);
void append_frames_comment(std::string& out, std::span<const Place* const> stack);

// The debug=1 text.
std::string legacy_text(const std::vector<Sample>& samples, std::string_view profile = "goroutine");

}  // namespace quoll::debug
