#include "mgr/log/log_watcher.hpp"

#include <sys/inotify.h>

#include <cerrno>
#include <vector>

#include "task/error.hpp"
#include "task/timer.hpp"

namespace quoll::mgr {

LogWatcher::LogWatcher() : scope_("mgr.LogWatcher", task::Scope::Kind::kRoot) {}

LogWatcher::~LogWatcher() = default;

void LogWatcher::start(task::Worker& worker) {
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) throw system_error(errno, "inotify");
  inotify_ = inotify.get();
  scope_.spawn_on(worker, "mgr.LogWatcher: watch logs", watch_logs(std::move(inotify)));
}

void LogWatcher::add(const std::shared_ptr<LogHub>& hub) {
  std::lock_guard lock(mutex_);
  if (const auto known = descriptor_by_hub_.find(hub.get()); known != descriptor_by_hub_.end()) {
    ++watches_[known->second].users;
    return;
  }
  const int descriptor =
      ::inotify_add_watch(inotify_, hub->directory().c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
  if (descriptor < 0) {
    if (errno == ENOSPC) throw Error(ErrorClass::kResourceExhausted, "the kernel allows no more inotify watches");
    throw system_error(errno, "watch " + hub->directory());
  }
  watches_[descriptor] = {hub, 1};
  descriptor_by_hub_[hub.get()] = descriptor;
}

void LogWatcher::remove(const std::shared_ptr<LogHub>& hub) {
  std::lock_guard lock(mutex_);
  const auto known = descriptor_by_hub_.find(hub.get());
  if (known == descriptor_by_hub_.end()) return;
  const auto watch = watches_.find(known->second);
  if (--watch->second.users > 0) return;
  ::inotify_rm_watch(inotify_, known->second);
  watches_.erase(watch);
  descriptor_by_hub_.erase(known);
}

std::shared_ptr<LogHub> LogWatcher::hub_of(int descriptor) {
  std::lock_guard lock(mutex_);
  const auto watch = watches_.find(descriptor);
  return watch != watches_.end() ? watch->second.hub : nullptr;
}

void LogWatcher::tell_all() {
  std::vector<std::shared_ptr<LogHub>> hubs;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [descriptor, watch] : watches_) hubs.push_back(watch.hub);
  }
  for (const auto& hub : hubs) hub->on_change();
}

task::Task<void> LogWatcher::watch_logs(UniqueFd inotify) {
  task::AsyncFd events(std::move(inotify));
  alignas(inotify_event) char buffer[4096];
  while (true) {
    co_await task::yield();  // a busy container must not keep the worker from its other tasks
    const std::size_t bytes = co_await events.read_some(buffer);
    int last = -1;
    for (std::size_t offset = 0; offset < bytes;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + offset);
      offset += sizeof(inotify_event) + event->len;
      if (event->mask & IN_Q_OVERFLOW) tell_all();
      if (event->mask & IN_IGNORED || event->wd == last) continue;
      last = event->wd;
      if (const auto hub = hub_of(event->wd)) hub->on_change();
    }
  }
}

task::Task<void> LogWatcher::stop() {
  scope_.cancel(task::CancelReason::kShutdown);
  co_await scope_.join();
}

}  // namespace quoll::mgr
