// SharedPulls: clients that want the same image wait for one pull.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string_view>

#include "mgr/registry/image_pull.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// Takes lines for a client; waits while it does not read. The view is valid until the await ends.
using LineSink = std::function<task::Task<void>(std::string_view lines)>;

// Lifetime: outlives its pulls. Thread: any.
class SharedPulls {
 public:
  explicit SharedPulls(PullMeans means) : means_(means) {}

  // Joins the pull of just this request, or begins it, and tells `sink` how it goes.
  //
  // Cancel: the client leaves the pull; the last one's leaving cancels it, and waits until nothing of it is left.
  // Errors: the pull's, to each of its clients.
  task::Task<PulledImage> pull(PullRequest request, LineSink sink);

 private:
  struct Pull;

  std::shared_ptr<Pull> join(const PullRequest& request);
  bool leave(const std::shared_ptr<Pull>& pull);  // true for the last
  static task::Task<void> run(std::shared_ptr<Pull> pull, PullMeans means);
  static task::Task<void> follow(Pull& pull, const LineSink& sink);

  const PullMeans means_;
  std::mutex mutex_;
  std::list<std::shared_ptr<Pull>> pulls_;  // guarded by mutex_: those that may be joined
};

}  // namespace quoll::mgr
