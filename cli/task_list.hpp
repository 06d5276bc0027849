// /debug/tasks as the commands that show tasks read it.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/arguments.hpp"

namespace quoll::cli {

struct TaskRow {
  struct Ancestor {
    std::uint64_t id;
    std::string name;
    bool ended;
  };

  std::uint64_t id = 0;
  std::string state;
  double wait_seconds = 0;
  double age_seconds = 0;
  std::string name;
  std::string request;   // "GET /containers/{id}/logs"; "-" where it works for none
  std::string client;    // "-" likewise
  std::string function;  // the innermost that is not the runtime's own, which only says how it waits, as the state does
  std::vector<Ancestor> ancestors;  // the task that spawned it first

  bool active() const { return state == "running" || state == "runnable"; }
};

// With the query that selects them.
std::string task_target(const char* path, const TaskSelection& tasks);

// Errors: what nlohmann throws for an answer of another form.
std::vector<TaskRow> task_rows(const nlohmann::json& answer);
// "worker-1, worker-3": those that did not answer; "" where all did.
std::string silent_workers(const nlohmann::json& answer);

// "34 tasks: 20 chan receive, 12 IO wait, 2 running": most frequent first.
std::string count_by_state(const std::vector<TaskRow>& rows);
// For `top`: what runs, then what works for somebody, longest in its state first.
void sort_by_interest(std::vector<TaskRow>& rows);
// One line a task below the task that spawned it; a parent that has ended, or is not listed, stands there in
// parentheses.
std::string tree_text(const std::vector<TaskRow>& rows);

}  // namespace quoll::cli
