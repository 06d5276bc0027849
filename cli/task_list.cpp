#include "cli/task_list.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/engine.hpp"
#include "cli/human.hpp"
#include "cli/table.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

// "GET /containers/{id}/logs" of what the task works for.
std::string request_of(const json& task) {
  if (!task.contains("request")) return "-";
  const json& request = task["request"];
  const std::string route = request.value("route", "");
  return request.value("method", "") + " " + (route.empty() ? request.value("path", "") : route);
}

std::string innermost_function(const json& task) {
  const json& frames = task.at("stack");
  for (const json& frame : frames) {
    std::string function = frame.value("function", "-");
    if (!function.starts_with("quoll::task::")) return function;
  }
  return frames.empty() ? "-" : frames[0].value("function", "-");
}

TaskRow row_of(const json& task) {
  TaskRow row;
  row.id = task.value("id", std::uint64_t{0});
  row.parent = task.value("parent", std::uint64_t{0});
  row.state = task.value("state", "");
  row.wait_seconds = task.value("wait_ms", 0.0) / 1000;
  row.age_seconds = task.value("age_seconds", 0.0);
  row.name = task.value("name", "");
  row.request = request_of(task);
  row.client = task.contains("request") ? task["request"].value("client", "-") : "-";
  row.function = innermost_function(task);
  return row;
}

class Tree {
 public:
  explicit Tree(std::vector<TaskRow> rows) : rows_(std::move(rows)) {
    std::sort(rows_.begin(), rows_.end(), [](const TaskRow& a, const TaskRow& b) { return a.id < b.id; });
    std::set<std::uint64_t> alive;
    for (const TaskRow& row : rows_) alive.insert(row.id);
    for (const TaskRow& row : rows_) {
      children_[row.parent].push_back(&row);
      if (row.parent != 0 && !alive.contains(row.parent)) absent_.insert(row.parent);
    }
  }

  std::string text() {
    for (const TaskRow* row : children_[0]) add(*row, "", "");
    for (const std::uint64_t id : absent_) {
      text_ += "(" + std::to_string(id) + ", not listed)\n";
      add_children(id, "");
    }
    return std::move(text_);
  }

 private:
  void add(const TaskRow& row, const std::string& lead, const std::string& indent) {
    text_ += lead + std::to_string(row.id) + " " + printable(row.name) + " [" + printable(row.state);
    if (!row.active()) text_ += " " + short_duration(row.wait_seconds);
    text_ += "]";
    if (row.request != "-") text_ += " " + printable(row.request) + " from " + printable(row.client);
    text_ += " " + printable(row.function) + "\n";
    add_children(row.id, indent);
  }
  void add_children(std::uint64_t id, const std::string& indent) {
    const auto found = children_.find(id);
    if (found == children_.end()) return;
    for (const TaskRow* row : found->second) {
      const bool last = row == found->second.back();
      add(*row, indent + (last ? "└─ " : "├─ "), indent + (last ? "   " : "│  "));
    }
  }

  std::vector<TaskRow> rows_;
  std::map<std::uint64_t, std::vector<const TaskRow*>> children_;
  std::set<std::uint64_t> absent_;  // parents that have ended, or that no filter let through
  std::string text_;
};

}  // namespace

std::string task_target(const char* path, const TaskSelection& tasks) {
  return path + query_string({{"match", tasks.match}, {"state", tasks.state}, {"min_wait", tasks.min_wait}});
}

std::vector<TaskRow> task_rows(const json& answer) {
  std::vector<TaskRow> rows;
  for (const json& task : answer.at("tasks")) rows.push_back(row_of(task));
  return rows;
}

std::string silent_workers(const json& answer) {
  std::string names;
  for (const json& worker : answer.at("dump").at("silent_workers")) {
    names += (names.empty() ? "" : ", ") + worker.value("name", "?");
  }
  return names;
}

std::string count_by_state(const std::vector<TaskRow>& rows) {
  std::map<std::string, std::size_t> counts;
  for (const TaskRow& row : rows) ++counts[row.state];
  std::vector<std::pair<std::string, std::size_t>> sorted(counts.begin(), counts.end());
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  std::string text = std::to_string(rows.size()) + " tasks";
  for (const auto& [state, count] : sorted) {
    text += (&state == &sorted.front().first ? ": " : ", ") + std::to_string(count) + " " + state;
  }
  return text;
}

void sort_by_interest(std::vector<TaskRow>& rows) {
  std::sort(rows.begin(), rows.end(), [](const TaskRow& a, const TaskRow& b) {
    if (a.active() != b.active()) return a.active();
    if ((a.request == "-") != (b.request == "-")) return a.request != "-";
    return a.wait_seconds != b.wait_seconds ? a.wait_seconds > b.wait_seconds : a.id < b.id;
  });
}

std::string tree_text(std::vector<TaskRow> rows) { return Tree(std::move(rows)).text(); }

}  // namespace quoll::cli
