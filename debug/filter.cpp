#include "debug/filter.hpp"

#include "task/error.hpp"

namespace quoll::debug {

Filter::Filter(DumpOptions options) : options_(std::move(options)) {
  const std::string& pattern = options_.match;
  if (pattern.size() > kMatchBytesMax) {
    throw Error(ErrorClass::kInvalidArgument,
                "invalid value for \"match\" - longer than " + std::to_string(kMatchBytesMax) + " bytes");
  }
  if (pattern.find_first_of("^$.*+?()[]{}|\\") == std::string::npos) return;
  // A counted repeat copies what it repeats, and nested ones multiply.
  if (pattern.find('{') != std::string::npos) {
    throw Error(ErrorClass::kInvalidArgument, "invalid value for \"match\" - counted repeats are not supported");
  }
  expression_ = task::RegularExpression::parse(pattern);
  if (!expression_) {
    throw Error(ErrorClass::kInvalidArgument,
                "invalid value for \"match\": \"" + pattern + "\" - must be a regular expression");
  }
}

bool Filter::found_in(std::string_view text) const {
  if (!expression_) return text.find(options_.match) != std::string_view::npos;
  return expression_->found_in(text);
}

bool FilterMemo::found_in(const Place& place) {
  if (place.index >= places_.size()) places_.resize(place.index + 64, Known::kNo);
  Known& known = places_[place.index];
  if (known == Known::kNo) known = filter_->found_in(place.function) ? Known::kFound : Known::kNotFound;
  return known == Known::kFound;
}

bool FilterMemo::found_in_name(std::string_view name) {
  const auto [known, added] = names_.try_emplace(name.data(), false);
  if (added) known->second = filter_->found_in(name);
  return known->second;
}

bool FilterMemo::found_in_labels(const task::Labels& labels) const {
  return filter_->found_in(labels.route) || filter_->found_in(labels.path) || filter_->found_in(labels.client) ||
         filter_->found_in(labels.container()) || filter_->found_in(labels.container_id());
}

template <typename Frames>
bool FilterMemo::found_in_stack(const Frames& frames, std::string_view name) {
  for (const Place* place : frames) {
    if (found_in(*place)) return true;
  }
  return found_in_name(name);
}

bool FilterMemo::shows(const TaskView& task) {
  const DumpOptions& options = filter_->options();
  const task::Labels* const labels = task.record.labels;
  if (options.state && task.record.state != *options.state) return false;
  if (options.only && !options.only->contains(task.record.id)) return false;
  if (options.request != 0 && (labels == nullptr || labels->request_id != options.request)) return false;
  if (options.min_wait.count() > 0 && task.waited() < options.min_wait) return false;
  if (!filter_->has_pattern() || found_in_stack(task.frames, task.record.name)) return true;
  return labels != nullptr && found_in_labels(*labels);
}

bool FilterMemo::shows(const TaskSummary& task) {
  const DumpOptions& options = filter_->options();
  if (options.state && task.state != *options.state) return false;
  if (options.only && !options.only->contains(task.id)) return false;
  if (options.request != 0 && task.request_id != options.request) return false;
  if (options.min_wait.count() > 0 && task.waited < options.min_wait) return false;
  if (!filter_->has_pattern() || found_in_stack(task.frames, task.name)) return true;
  for (const std::string* label : {&task.route, &task.path, &task.client, &task.container, &task.container_id}) {
    if (!label->empty() && filter_->found_in(*label)) return true;
  }
  return false;
}

}  // namespace quoll::debug
