#include "debug/page_columns.hpp"

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>

#include "debug/pprof_pages.hpp"

namespace quoll::debug {
namespace {

using nlohmann::json;

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

std::int64_t milliseconds(std::chrono::nanoseconds duration) { return duration.count() / 1'000'000; }

void append_number(std::string& out, std::int64_t value) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

// A member of the answer whose items are JSON already.
void append_list(std::string& out, std::string_view name, const std::vector<std::string>& items) {
  out.append(",\"").append(name).append("\":[");
  for (const std::string& item : items) out.append(&item == &items.front() ? "" : ",").append(item);
  out += ']';
}

std::vector<std::string> quoted(const std::vector<std::string>& texts) {
  std::vector<std::string> items;
  for (const std::string& text : texts) items.push_back(dump(text));
  return items;
}

std::string process_name() {
  const std::string arguments = command_line();
  const std::string program = arguments.substr(0, arguments.find('\0'));
  return program.substr(program.rfind('/') + 1);
}

std::string silent_names(const WalkFacts& facts) {
  std::string names;
  for (const SilentWorker& worker : facts.silent) names.append(names.empty() ? "" : ", ").append(worker.name);
  return names;
}

}  // namespace

std::int64_t PageColumns::Texts::number_of(std::string_view text) {
  const auto [known, added] = numbers_.try_emplace(std::string(text), static_cast<std::int64_t>(all_.size()));
  if (added) all_.emplace_back(text);
  return known->second;
}

void PageColumns::Column::add(std::int64_t value) {
  if (!values.empty()) values += ',';
  append_number(values, value);
}

void PageColumns::add(const TaskSummary& task) {
  const std::string_view state = task::to_string(task.state);
  ++counts_[state];
  if (kept_ == tasks_max_) return;
  ++kept_;
  columns_[kId].add(static_cast<std::int64_t>(task.id));
  columns_[kState].add(states_.number_of(state));
  columns_[kWaitMs].add(milliseconds(task.waited));
  columns_[kAgeMs].add(milliseconds(task.age));
  columns_[kParent].add(static_cast<std::int64_t>(task.parent()));
  columns_[kName].add(names_.number_of(task.name));
  columns_[kWorker].add(workers_.number_of(task.worker));
  columns_[kStack].add(stack_of(task));
  columns_[kRequest].add(request_of(task));
  columns_[kCancel].add(
      task.cancel_reason == task::CancelReason::kNone ? -1 : cancels_.number_of(task::to_string(task.cancel_reason)));
  note_ended(task);
}

void PageColumns::note_ended(const TaskSummary& task) {
  for (std::size_t i = 0; i < task.ancestors.size(); ++i) {
    const Ancestor& ancestor = task.ancestors[i];
    if (!ancestor.ended) continue;
    const std::uint64_t parent = i + 1 < task.ancestors.size() ? task.ancestors[i + 1].id : 0;
    ended_.try_emplace(ancestor.id, parent, ancestor.name);
  }
}

std::int64_t PageColumns::stack_of(const TaskSummary& task) {
  std::string stack = "[";
  for (const Place* const place : task.frames) {
    const auto [known, added] = place_numbers_.try_emplace(place->index, 0);
    if (added) known->second = places_.number_of(dump(json::array({place->function, place->file, place->line})));
    if (stack.size() > 1) stack += ',';
    append_number(stack, known->second);
  }
  return stacks_.number_of(stack + "]");
}

std::int64_t PageColumns::request_of(const TaskSummary& task) {
  if (task.request_id == 0) return -1;
  const auto [known, added] = request_numbers_.try_emplace(task.request_id, 0);
  if (added) {
    known->second = requests_.number_of(dump({{"id", task.request_id},
                                              {"method", task.method},
                                              {"path", task.path},
                                              {"route", task.route},
                                              {"client", task.client},
                                              {"container", task.container},
                                              {"container_id", task.container_id}}));
  }
  return known->second;
}

std::string PageColumns::json(const WalkFacts& facts) const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  nlohmann::json head = {{"time_ms", milliseconds(now)},
                         {"process", process_name()},
                         {"pid", ::getpid()},
                         {"total", facts.tasks},
                         {"complete", facts.complete()},
                         {"silent", silent_names(facts)},
                         {"counts", nlohmann::json::object()}};
  for (const auto& [state, count] : counts_) head["counts"][std::string(state)] = count;
  std::string out = dump(head);
  out.pop_back();
  append_list(out, "states", quoted(states_.all()));
  append_list(out, "names", quoted(names_.all()));
  append_list(out, "workers", quoted(workers_.all()));
  append_list(out, "cancels", quoted(cancels_.all()));
  append_list(out, "places", places_.all());
  append_list(out, "stacks", stacks_.all());
  append_list(out, "requests", requests_.all());
  std::vector<std::string> ended;
  for (const auto& [id, parent_and_name] : ended_) {
    ended.push_back(dump(nlohmann::json::array({id, parent_and_name.first, parent_and_name.second})));
  }
  append_list(out, "ended", ended);
  out += ",\"tasks\":{";
  for (const Column& column : columns_) {
    out.append(&column == &columns_.front() ? "\"" : ",\"").append(column.name).append("\":[");
    out.append(column.values).append("]");
  }
  return out + "}}\n";
}

}  // namespace quoll::debug
