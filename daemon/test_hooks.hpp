// TestHooks: routes that do what a handler must never do, so that tests can see how the daemon tells of it. They are
// there with the hidden flag --test-hooks only.
#pragma once

#include "http/router.hpp"
#include "task/channel.hpp"
#include "task/event.hpp"
#include "task/mutex.hpp"
#include "task/scope.hpp"
#include "task/task.hpp"

namespace quoll::daemon {

//   POST /debug/test/block?seconds=N    keeps its worker's thread in a system call
//   POST /debug/test/spin?seconds=N     keeps it busy
//   POST /debug/test/shield?seconds=N   goes on although its client leaves
//   POST /debug/test/leak               leaves a task that only it could send to, and two that wait for each other
//
// Lifetime: outlives the servers of the router; stop() before its destructor.
class TestHooks {
 public:
  explicit TestHooks(http::Router& router);
  task::Task<void> stop();

 private:
  task::Task<void> leak(http::Response& response);

  task::Mutex first_;
  task::Mutex second_;
  task::Event locked_;
  task::Scope leaked_{"test.leaked", task::Scope::Kind::kRoot};
};

}  // namespace quoll::daemon
