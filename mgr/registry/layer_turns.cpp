#include "mgr/registry/layer_turns.hpp"

namespace quoll::mgr {

namespace {

// What is at `key`, or else make(). What nobody has any more goes.
template <typename Value, typename Make>
std::shared_ptr<Value> find_or_make(std::map<std::string, std::weak_ptr<Value>>& all, const std::string& key,
                                    Make&& make) {
  std::erase_if(all, [](const auto& each) { return each.second.expired(); });
  auto& known = all[key];
  std::shared_ptr<Value> value = known.lock();
  if (!value) known = value = make();
  return value;
}

}  // namespace

struct LayerTurns::Place {
  explicit Place(std::size_t at_once) : permits(at_once) {}

  task::Semaphore permits;
  std::map<std::string, std::weak_ptr<task::Mutex>> layers;  // guarded by LayerTurns::mutex_
};

task::Task<LayerTurns::Turn> LayerTurns::take(std::string place, std::string layer) {
  Turn turn;
  {
    const std::lock_guard lock(mutex_);
    turn.place_ = find_or_make(places_, place, [this] { return std::make_shared<Place>(at_once_); });
    turn.layer_ = find_or_make(turn.place_->layers, layer, [] { return std::make_shared<task::Mutex>(); });
  }
  turn.guard_ = co_await turn.layer_->lock();
  turn.permit_ = co_await turn.place_->permits.acquire();
  co_return turn;
}

bool LayerTurns::is_taken(const std::string& place, const std::string& layer) {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(place);
  const auto known = found == places_.end() ? nullptr : found->second.lock();
  if (!known) return false;
  const auto of_layer = known->layers.find(layer);
  return of_layer != known->layers.end() && !of_layer->second.expired();
}

}  // namespace quoll::mgr
