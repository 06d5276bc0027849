#include "mgr/registry/shared_pulls.hpp"

#include <chrono>

#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/event.hpp"
#include "task/scope.hpp"

namespace quoll::mgr {

namespace {

// How often a client hears of bytes that came.
constexpr auto kReportInterval = std::chrono::milliseconds(100);

task::Task<void> wait_for(task::Event& event) { co_await event.wait(); }

// True once it is set; false after the interval.
task::Task<bool> set_within(task::Event& event, std::chrono::milliseconds interval) {
  try {
    co_await task::with_deadline(interval, wait_for(event));
    co_return true;
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kDeadlineExceeded) throw;
  }
  co_return false;
}

}  // namespace

struct SharedPulls::Pull {
  explicit Pull(PullRequest of) : request(std::move(of)) {}

  const PullRequest request;
  Progress progress;
  task::Event ended;
  // Set before `ended`.
  std::optional<PulledImage> image;
  std::exception_ptr failure;
  int clients = 0;  // guarded by SharedPulls::mutex_
  // Below no client's request. The last client joins it.
  task::Scope scope{"mgr.SharedPulls", task::Scope::Kind::kRoot};
};

std::shared_ptr<SharedPulls::Pull> SharedPulls::join(const PullRequest& request) {
  const std::lock_guard lock(mutex_);
  for (const auto& pull : pulls_) {
    if (pull->request != request || pull->ended.is_set()) continue;
    ++pull->clients;
    return pull;
  }
  auto pull = std::make_shared<Pull>(request);
  pull->clients = 1;
  pull->scope.spawn("mgr.SharedPulls: pull", run(pull, means_));
  pulls_.push_back(pull);
  return pull;
}

bool SharedPulls::leave(const std::shared_ptr<Pull>& pull) {
  const std::lock_guard lock(mutex_);
  if (--pull->clients > 0) return false;
  pulls_.remove(pull);
  return true;
}

task::Task<void> SharedPulls::run(std::shared_ptr<Pull> pull, PullMeans means) {
  try {
    pull->image = co_await pull_image(means, pull->request, pull->progress);
  } catch (...) {
    // Cancelled too: nobody is left to hear of it.
    pull->failure = std::current_exception();
  }
  pull->ended.set();
}

task::Task<void> SharedPulls::follow(Pull& pull, const LineSink& sink) {
  Progress::Cursor cursor;
  bool ended = false;
  while (!ended) {
    ended = co_await set_within(pull.ended, kReportInterval);
    const std::string lines = pull.progress.lines_since(cursor);
    if (!lines.empty()) co_await sink(lines);
  }
  if (pull.failure) std::rethrow_exception(pull.failure);
}

task::Task<PulledImage> SharedPulls::pull(PullRequest request, LineSink sink) {
  const std::shared_ptr<Pull> pull = join(request);
  std::exception_ptr failure;
  try {
    co_await follow(*pull, sink);
  } catch (...) {
    failure = std::current_exception();
  }
  if (leave(pull)) {
    pull->scope.cancel(task::CancelReason::kClientGone);
    co_await pull->scope.join();
  }
  if (failure) std::rethrow_exception(failure);
  co_return *pull->image;
}

}  // namespace quoll::mgr
