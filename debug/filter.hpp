// Filter: decides which tasks a dump shows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "debug/options.hpp"
#include "debug/summary.hpp"
#include "debug/task_view.hpp"
#include "task/regular_expression.hpp"

namespace quoll::debug {

// A RegularExpression without counted repeats ({2,5}), and a short one, so that no pattern can stop a worker. A pattern
// without special characters is searched for as it stands.
// Thread: any, once it is made.
class Filter {
 public:
  // Errors: Error{kInvalidArgument} for a pattern that is malformed, too long or not of the kind above.
  explicit Filter(DumpOptions options);
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  const DumpOptions& options() const { return options_; }
  bool has_pattern() const { return !options_.match.empty(); }
  bool found_in(std::string_view text) const;
  // Matching may take long: the walk then looks at the clock more often.
  bool slow() const { return expression_.has_value(); }

 private:
  const DumpOptions options_;
  std::optional<task::RegularExpression> expression_;  // none where the pattern is plain text
};

// Asks a Filter, and the expression only once for each place and name: for one walk on one worker.
class FilterMemo {
 public:
  explicit FilterMemo(std::shared_ptr<const Filter> filter) : filter_(std::move(filter)) {}
  bool shows(const TaskView& task);
  bool shows(const TaskSummary& task);

 private:
  enum class Known : std::uint8_t { kNo, kFound, kNotFound };

  bool found_in(const Place& place);
  bool found_in_name(std::string_view name);
  bool found_in_labels(const task::Labels& labels) const;
  template <typename Frames>
  bool found_in_stack(const Frames& frames, std::string_view name);

  std::shared_ptr<const Filter> filter_;
  std::vector<Known> places_;                    // by Place::index
  std::unordered_map<const char*, bool> names_;  // names are of static storage
};

}  // namespace quoll::debug
