// LeftTasks: the tasks that something has left behind, for tests: a check at its end asks which tasks have been spawned
// since its beginning and still live. no_task_leaks.hpp makes GoogleTest ask.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "task/runtime.hpp"
#include "task/scope.hpp"

namespace quoll::debug {

struct LeftTasksOptions {
  // Not reported: tasks with such a name, and tasks that have such a function in their stack or were created by it.
  std::vector<std::string> ignored_names;
  std::vector<std::string> ignored_functions;
  // Only the tasks of this scope, and those that they have spawned: so that tests which run side by side in one
  // process, each with a scope or a runtime of its own, do not see each other's. Null: all.
  const task::Scope* scope = nullptr;
  const task::Runtime* runtime = nullptr;
  // How long tasks may take to end. They are looked at again and again, at growing distances.
  std::chrono::milliseconds patience{2000};
};

// Looks at all runtimes of the process. One that has threads is asked on these; one that is driven by hand is read, so
// nobody may drive it meanwhile. A worker that does not answer is left out.
//
// Thread: any but the workers'.
class LeftTasks {
 public:
  // What lives now is not asked for later.
  explicit LeftTasks(LeftTasksOptions options = {});

  // Those that are left, as a dump; "" where there are none.
  std::string wait();

 private:
  struct Found {
    std::uint64_t id = 0;
    std::string text;
  };

  std::vector<Found> find() const;
  bool is_meant(const task::TaskRecord& task, const std::unordered_set<std::uint64_t>& in_scope) const;
  void look_at(task::Worker& worker, std::vector<Found>& found) const;

  const LeftTasksOptions options_;
  std::unordered_set<std::uint64_t> before_;
};

}  // namespace quoll::debug
