// LayerFlusher: the task that flushes layers behind the answers of those who brought them.
#pragma once

#include "mgr/image/image_store.hpp"
#include "task/event.hpp"
#include "task/scope.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// Lifetime: wake() may be called before start() and after stop(), so it outlives the store that calls it; stop() comes
//           before the store's end.
// Thread:   wake() any; start() and stop() in tasks of one worker.
class LayerFlusher {
 public:
  void wake() { wanted_.set(); }
  void start(ImageStore& store);
  // A flush that is on its way is waited for.
  task::Task<void> stop();

 private:
  task::Task<void> run(ImageStore* store);

  task::Event wanted_;
  task::Scope scope_{"mgr.LayerFlusher", task::Scope::Kind::kRoot};
};

}  // namespace quoll::mgr
