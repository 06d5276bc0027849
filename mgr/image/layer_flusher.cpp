#include "mgr/image/layer_flusher.hpp"

#include <spdlog/spdlog.h>

#include "task/blocking.hpp"
#include "task/error.hpp"
#include "task/this_task.hpp"

namespace quoll::mgr {

void LayerFlusher::start(ImageStore& store) { scope_.spawn("mgr.LayerFlusher: flush layers", run(&store)); }

task::Task<void> LayerFlusher::stop() {
  scope_.cancel(task::CancelReason::kShutdown);
  co_await scope_.join();
}

task::Task<void> LayerFlusher::run(ImageStore* store) {
  while (true) {
    co_await wanted_.wait();
    wanted_.reset();
    try {
      co_await task::blocking([store] { store->flush_layers(); });
    } catch (const Error& error) {
      // They stay noted, and are tried again with the next ones.
      spdlog::error("image store: flush of layers: {}", error.message());
    }
  }
}

}  // namespace quoll::mgr
