#include "debug/testing.hpp"

#include <algorithm>
#include <future>
#include <memory>
#include <thread>

#include "debug/text.hpp"
#include "task/clock.hpp"

namespace quoll::debug {
namespace {

constexpr std::chrono::milliseconds kAnswerBound{1000};
constexpr std::chrono::milliseconds kPauseMax{100};

// Runs `function` where the worker's tasks hold still; false where the worker does not answer.
bool run_on(task::Worker& worker, const std::function<void()>& function) {
  if (worker.thread_id() == 0 || task::Worker::current() == &worker) {
    function();
    return true;
  }
  auto done = std::make_shared<std::promise<void>>();
  auto claimed = std::make_shared<std::atomic<bool>>(false);  // by the worker, or by its being given up
  std::future<void> answer = done->get_future();
  // By way of a second turn: tasks that other threads have spawned enter the table before that.
  worker.post([&worker, done, claimed, function] {
    worker.post([done, claimed, function] {
      if (claimed->exchange(true)) return;
      function();
      done->set_value();
    });
  });
  if (answer.wait_for(kAnswerBound) != std::future_status::ready && !claimed->exchange(true)) return false;
  answer.wait();
  return true;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

LeftTasks::LeftTasks(LeftTasksOptions options) : options_(std::move(options)) {
  for (const Found& task : find()) before_.insert(task.id);
}

std::string LeftTasks::wait() {
  const auto end = std::chrono::steady_clock::now() + options_.patience;
  std::vector<Found> left = find();
  for (auto pause = std::chrono::milliseconds(1); !left.empty() && std::chrono::steady_clock::now() < end;
       pause = std::min(2 * pause, kPauseMax)) {
    std::this_thread::sleep_for(pause);
    left = find();
  }
  std::string text;
  for (const Found& task : left) text.append(text.empty() ? "" : "\n").append(task.text);
  return text;
}

std::vector<LeftTasks::Found> LeftTasks::find() const {
  std::vector<Found> found;
  task::Runtime::for_each([&](task::Runtime& runtime) {
    if (options_.runtime != nullptr && options_.runtime != &runtime) return;
    for (const auto& worker : runtime.workers()) look_at(*worker, found);
  });
  return found;
}

void LeftTasks::look_at(task::Worker& worker, std::vector<Found>& found) const {
  std::vector<Found> here;
  const bool answered = run_on(worker, [&] {
    std::unordered_set<std::uint64_t> in_scope;
    for (const task::TaskRecord* const task : worker.tasks()) {
      if (task->scope == options_.scope) in_scope.insert(task->id);
    }
    StackReader stack;
    for (const task::TaskRecord* const task : worker.tasks()) {
      if (before_.contains(task->id) || !is_meant(*task, in_scope)) continue;
      const TaskView view{*task, stack.read(*task), task::coarse_now_ns()};
      const auto ignored = [this](const Place* place) { return contains(options_.ignored_functions, place->function); };
      if (std::any_of(view.frames.begin(), view.frames.end(), ignored) || ignored(&place_of(task->created_at)))
        continue;
      here.push_back({task->id, {}});
      append_task(here.back().text, view, FileNames::kReal);
    }
  });
  if (answered) std::move(here.begin(), here.end(), std::back_inserter(found));
}

bool LeftTasks::is_meant(const task::TaskRecord& task, const std::unordered_set<std::uint64_t>& in_scope) const {
  if (contains(options_.ignored_names, task.name)) return false;
  if (options_.scope == nullptr || in_scope.contains(task.id)) return true;
  for (const task::LineageRef* parent = &task.parent; *parent; parent = &(*parent)->parent) {
    if (in_scope.contains((*parent)->id)) return true;
  }
  return false;
}

}  // namespace quoll::debug
