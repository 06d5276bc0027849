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
  row.state = task.value("state", "");
  row.wait_seconds = task.value("wait_ms", 0.0) / 1000;
  row.age_seconds = task.value("age_ms", 0.0) / 1000;
  for (const json& ancestor : task.value("ancestors", json::array())) {
    row.ancestors.push_back(
        {ancestor.value("id", std::uint64_t{0}), ancestor.value("name", ""), ancestor.value("ended", false)});
  }
  row.name = task.value("name", "");
  row.request = request_of(task);
  row.client = task.contains("request") ? task["request"].value("client", "-") : "-";
  row.function = innermost_function(task);
  return row;
}

class Tree {
 public:
  explicit Tree(const std::vector<TaskRow>& rows) {
    for (const TaskRow& row : rows) nodes_[row.id].row = &row;
    for (const TaskRow& row : rows) place(row);
  }

  std::string text() {
    for (const std::uint64_t id : top_) add(id, "", "");
    return std::move(text_);
  }

 private:
  struct Node {
    const TaskRow* row = nullptr;  // null: it has ended, or no filter let it through
    std::string label;             // instead of the row
    std::set<std::uint64_t> children;
  };

  // Hangs the task below its parent, and that below its own, as far up as they are known.
  void place(const TaskRow& row) {
    std::uint64_t child = row.id;
    for (const TaskRow::Ancestor& ancestor : row.ancestors) {
      Node& parent = nodes_[ancestor.id];
      parent.label = ancestor.name + (ancestor.ended ? ", ended" : ", not listed");
      if (!parent.children.insert(child).second) return;
      child = ancestor.id;
    }
    top_.insert(child);
  }

  void add(std::uint64_t id, const std::string& lead, const std::string& indent) {
    const Node& node = nodes_.at(id);
    text_ += lead + (node.row != nullptr ? line_of(*node.row)
                                         : "(" + std::to_string(id) + " " + printable(node.label) + ")\n");
    for (const std::uint64_t child : node.children) {
      const bool last = child == *node.children.rbegin();
      add(child, indent + (last ? "└─ " : "├─ "), indent + (last ? "   " : "│  "));
    }
  }
  static std::string line_of(const TaskRow& row) {
    std::string line = std::to_string(row.id) + " " + printable(row.name) + " [" + printable(row.state);
    if (!row.active()) line += " " + short_duration(row.wait_seconds);
    line += "]";
    if (row.request != "-") line += " " + printable(row.request) + " from " + printable(row.client);
    return line + " " + printable(row.function) + "\n";
  }

  std::map<std::uint64_t, Node> nodes_;
  std::set<std::uint64_t> top_;
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

std::string tree_text(const std::vector<TaskRow>& rows) { return Tree(rows).text(); }

}  // namespace quoll::cli
