#include "debug/samples.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <nlohmann/json.hpp>

namespace quoll::debug {
namespace {

void append_hex(std::string& out, std::uint64_t value) {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value, 16);
  out.append("0x").append(digits, end);
}

// pprof focuses on a string label by a pattern, and takes one of digits alone for a number.
std::string focusable(std::string value) {
  if (!value.empty() && value.find_first_not_of("0123456789") == std::string::npos) value.insert(0, "c-");
  return value;
}

bool by_count_then_stack(const Sample& a, const Sample& b) {
  if (a.second != b.second) return a.second > b.second;
  const auto pc_less = [](const Place* x, const Place* y) { return x->pc < y->pc; };
  return std::lexicographical_compare(a.first.stack.begin(), a.first.stack.end(), b.first.stack.begin(),
                                      b.first.stack.end(), pc_less);
}

}  // namespace

std::size_t SampleKeyHash::operator()(const SampleKey& key) const {
  std::size_t hash = static_cast<std::size_t>(key.state);
  const auto mix = [&hash](std::size_t value) { hash = (hash ^ value) * 0x9E3779B97F4A7C15ull; };
  for (const Place* place : key.stack) mix(place->index + 1);
  mix(std::hash<std::string_view>()(key.task));
  mix(std::hash<std::string>()(key.route));
  mix(std::hash<std::string>()(key.container));
  return hash ^ (hash >> 29);
}

void StackCounts::add(const TaskView& task) {
  SampleKey key;
  key.stack.assign(task.frames.begin(), task.frames.end());
  if (key.stack.empty()) key.stack.push_back(&place_of(task.record.created_at));
  key.task = task.record.name;
  key.state = task.record.state;
  if (const task::Labels* const labels = task.record.labels) {
    key.route = labels->route;
    key.container = labels->container();
  }
  ++counts_[std::move(key)];
}

void StackCounts::merge(const StackCounts& other, std::int64_t sign) {
  for (const auto& [key, count] : other.counts_) counts_[key] += sign * count;
}

std::vector<Sample> StackCounts::sorted() const {
  std::vector<Sample> samples;
  samples.reserve(counts_.size());
  for (const auto& sample : counts_) {
    if (sample.second != 0) samples.emplace_back(sample);
  }
  std::sort(samples.begin(), samples.end(), by_count_then_stack);
  return samples;
}

std::vector<std::pair<std::string_view, std::string>> labels_of(const SampleKey& key) {
  std::vector<std::pair<std::string_view, std::string>> labels;
  const auto add = [&labels](std::string_view name, std::string value) {
    if (!value.empty()) labels.emplace_back(name, focusable(std::move(value)));
  };
  add("container", key.container);
  add("route", key.route);
  add("state", std::string(task::to_string(key.state)));
  add("task", std::string(key.task));
  return labels;
}

void append_pcs(std::string& out, std::span<const Place* const> stack) {
  for (const Place* place : stack) append_hex(out += ' ', place->pc);
}

void append_labels_comment(std::string& out, const std::vector<std::pair<std::string_view, std::string>>& labels) {
  if (labels.empty()) return;
  nlohmann::json object;
  for (const auto& [name, value] : labels) object[std::string(name)] = value;
  out.append("\n# labels: ").append(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void append_frames_comment(std::string& out, std::span<const Place* const> stack) {
  for (const Place* place : stack) {
    append_hex(out += "\n#\t", place->pc);
    append_hex(out.append("\t").append(place->function).append("+"), place->offset);
    out.append("\t").append(place->file).append(":").append(std::to_string(place->line));
  }
}

std::string legacy_text(const std::vector<Sample>& samples, std::string_view profile) {
  std::int64_t total = 0;
  for (const Sample& sample : samples) total += sample.second;
  std::string out = std::string(profile) + " profile: total " + std::to_string(total) + "\n";
  for (const auto& [key, count] : samples) {
    out.append(std::to_string(count)).append(" @");
    append_pcs(out, key.stack);
    append_labels_comment(out, labels_of(key));
    append_frames_comment(out, key.stack);
    out += "\n\n";
  }
  return out;
}

}  // namespace quoll::debug
