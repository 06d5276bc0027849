#include "debug/wait_graph.hpp"

#include <algorithm>
#include <deque>

namespace quoll::debug {
namespace {

struct Node {
  const BlockedTask* task = nullptr;
  std::vector<std::size_t> waits_for;  // other nodes; all count as dead until one of them proves alive
  std::vector<std::size_t> waited_by;
  std::size_t dead_left = 0;  // of waits_for
  bool any = false;           // one that is alive is enough
  bool alive = false;
  bool at_fault = false;  // nobody could end its wait, whatever the others do
  LeakKind kind = LeakKind::kDeadlock;
};

class Graph {
 public:
  Graph(const std::vector<BlockedTask>& blocked, const Located& located, bool all_seen)
      : located_(located), all_seen_(all_seen), scopes_(located.scopes.begin(), located.scopes.end()) {
    std::sort(scopes_.begin(), scopes_.end());
    for (const BlockedTask& task : blocked) {
      if (!located.still_blocked.contains(task.id)) continue;
      index_[task.id] = nodes_.size();
      children_[task.scope].push_back(nodes_.size());
      nodes_.push_back({.task = &task});
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) connect(i);
    spread_life();
  }

  std::vector<DeadWait> dead_waits() {
    std::vector<DeadWait> dead;
    culprit_.assign(nodes_.size(), kNobody);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i].alive && nodes_[i].at_fault) convict({i}, dead);
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) follow(i, dead);
    return dead;
  }

 private:
  static constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

  void connect(std::size_t i) {
    Node& node = nodes_[i];
    node.any = node.task->any;
    if (node.task->timed) {
      node.alive = true;
    } else if (node.task->state == task::TaskState::kMutexLock) {
      connect_mutex(i);
    } else if (node.task->state == task::TaskState::kChanReceive || node.task->state == task::TaskState::kChanSend) {
      connect_channel(i);
    } else {
      connect_children(i);
    }
    node.dead_left = node.waits_for.size();
  }

  void add_edge(std::size_t from, std::size_t to) {
    nodes_[from].waits_for.push_back(to);
    nodes_[to].waited_by.push_back(from);
  }

  // The task whose frame the place lies in; 0: none.
  std::uint64_t owner_of(const void* place) const {
    const auto owner = located_.owner.find(place);
    return owner != located_.owner.end() ? owner->second : 0;
  }

  // Whether tasks run in scopes that lie in the task's frames: they may use what it holds through a reference.
  bool has_helpers(std::uint64_t owner) {
    const auto [known, added] = helpers_.try_emplace(owner, false);
    const auto frames = located_.frames.find(owner);
    if (!added || frames == located_.frames.end()) return known->second;
    for (const FrameBlock& block : frames->second) {
      const auto scope = std::lower_bound(scopes_.begin(), scopes_.end(), static_cast<const void*>(block.begin));
      if (scope != scopes_.end() && block.has(*scope)) known->second = true;
    }
    return known->second;
  }

  void connect_mutex(std::size_t i) {
    Node& node = nodes_[i];
    const task::WaitHolder holder = node.task->holders.empty() ? task::WaitHolder{} : node.task->holders.front();
    const std::uint64_t owner = owner_of(holder.at);
    const auto known = index_.find(owner);
    if (known != index_.end()) {
      add_edge(i, known->second);
    } else if (owner == 0 && holder.at != nullptr && holder.task != 0 && all_seen_ &&
               !located_.alive.contains(holder.task)) {
      node.at_fault = true;
      node.kind = LeakKind::kHolderGone;
    } else {
      node.alive = true;
    }
  }

  void connect_channel(std::size_t i) {
    Node& node = nodes_[i];
    if (node.task->count > node.task->holders.size()) node.alive = true;
    for (const task::WaitHolder& holder : node.task->holders) {
      const std::uint64_t owner = owner_of(holder.at);
      const auto known = index_.find(owner);
      if (known == index_.end() || (holder.used && holder.task != 0 && holder.task != owner) || has_helpers(owner)) {
        node.alive = true;
      } else if (known->second != i) {
        add_edge(i, known->second);
      }
    }
    node.at_fault = !node.alive && node.waits_for.empty();
    node.kind = node.task->state == task::TaskState::kChanSend ? LeakKind::kNoReceiver : LeakKind::kNoSender;
  }

  void connect_children(std::size_t i) {
    const auto children = children_.find(static_cast<const task::Scope*>(nodes_[i].task->object));
    if (children != children_.end()) {
      for (const std::size_t child : children->second) add_edge(i, child);
    }
    Node& node = nodes_[i];
    // One that is not among the blocked will end; that is enough for a select, and the join still needs the others.
    node.alive = node.any ? node.waits_for.size() < node.task->count : node.waits_for.empty();
  }

  void spread_life() {
    std::deque<std::size_t> alive;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].alive) alive.push_back(i);
    }
    for (; !alive.empty(); alive.pop_front()) {
      for (const std::size_t waiter : nodes_[alive.front()].waited_by) {
        Node& node = nodes_[waiter];
        --node.dead_left;
        if (node.alive || (!node.any && node.dead_left > 0)) continue;
        node.alive = true;
        alive.push_back(waiter);
      }
    }
  }

  std::size_t next_dead(std::size_t i) const {
    for (const std::size_t next : nodes_[i].waits_for) {
      if (!nodes_[next].alive) return next;
    }
    return kNobody;
  }

  // Walks from a dead node to what it waits for until it meets one whose fault is known, or itself: a circle.
  void follow(std::size_t start, std::vector<DeadWait>& dead) {
    std::vector<std::size_t> path;
    std::size_t at = start;
    while (at != kNobody && !nodes_[at].alive && culprit_[at] == kNobody) {
      const auto seen = std::find(path.begin(), path.end(), at);
      if (seen != path.end()) {
        convict({seen, path.end()}, dead);
        break;
      }
      path.push_back(at);
      at = next_dead(at);
    }
    if (at == kNobody || culprit_[at] == kNobody) return;
    for (const std::size_t node : path) {
      if (culprit_[node] != kNobody) continue;
      culprit_[node] = culprit_[at];
      dead[culprit_[at]].behind.push_back(nodes_[node].task->id);
    }
  }

  void convict(const std::vector<std::size_t>& cycle, std::vector<DeadWait>& dead) {
    for (std::size_t i = 0; i < cycle.size(); ++i) {
      DeadWait& wait = dead.emplace_back();
      wait.task = nodes_[cycle[i]].task->id;
      wait.kind = nodes_[cycle[i]].at_fault ? nodes_[cycle[i]].kind : LeakKind::kDeadlock;
      culprit_[cycle[i]] = dead.size() - 1;
      if (wait.kind != LeakKind::kDeadlock) continue;
      for (std::size_t step = 0; step < cycle.size(); ++step) {
        wait.cycle.push_back(nodes_[cycle[(i + step) % cycle.size()]].task->id);
      }
    }
  }

  const Located& located_;
  const bool all_seen_;
  std::vector<const void*> scopes_;                  // sorted
  std::unordered_map<std::uint64_t, bool> helpers_;  // by task, as far as asked for
  std::vector<Node> nodes_;
  std::unordered_map<std::uint64_t, std::size_t> index_;  // by task
  std::unordered_map<const task::Scope*, std::vector<std::size_t>> children_;
  std::vector<std::size_t> culprit_;  // by node: its place among the dead waits
};

}  // namespace

std::vector<DeadWait> find_dead_waits(const std::vector<BlockedTask>& blocked, const Located& located, bool all_seen) {
  return Graph(blocked, located, all_seen).dead_waits();
}

}  // namespace quoll::debug
