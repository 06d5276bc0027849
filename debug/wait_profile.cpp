#include "debug/wait_profile.hpp"

#include "task/wait_table.hpp"

namespace quoll::debug {
namespace {

ProfileKind make_kind(std::string_view name) {
  return {name, {{"contentions", "count"}, {"delay", "nanoseconds"}}, {"contentions", "count"}, 1, {}};
}

const task::WaitTable& table_of(task::Worker& worker, WaitKind kind) {
  return kind == WaitKind::kBlock ? worker.waits() : worker.contentions();
}

}  // namespace

const ProfileKind& block_kind() {
  static const ProfileKind kind = make_kind("block");
  return kind;
}

const ProfileKind& mutex_kind() {
  static const ProfileKind kind = make_kind("mutex");
  return kind;
}

ValueProfile wait_profile(task::Runtime& runtime, WaitKind kind) {
  ValueProfile profile;
  for (const auto& worker : runtime.workers()) {
    for (const task::WaitStack& waits : table_of(*worker, kind).copy()) {
      if (waits.count == 0) continue;
      ValueSample sample{.values = {waits.count, waits.nanoseconds}};
      for (const std::source_location& at : waits.stack()) sample.stack.push_back(&place_of(at));
      if (sample.stack.empty()) {
        sample.stack.push_back(&native_place("unknown", ""));
      } else {
        sample.labels.emplace_back("state", std::string(task::to_string(waits.state)));
      }
      profile.add(std::move(sample));
    }
  }
  return profile;
}

std::size_t wait_stack_count(task::Runtime& runtime, WaitKind kind) {
  std::size_t count = 0;
  for (const auto& worker : runtime.workers()) count += table_of(*worker, kind).size();
  return count;
}

std::string wait_text(task::Runtime& runtime, WaitKind kind) {
  // A cycle is a nanosecond here. "contention" is pprof's word for both.
  std::string head = kind == WaitKind::kBlock ? "--- contention:\ncycles/second=1000000000\n"
                                              : "--- mutex:\ncycles/second=1000000000\nsampling period=1\n";
  return legacy_text(
      std::move(head),
      [](const ValueSample& sample) {
        return std::to_string(sample.values[1]) + " " + std::to_string(sample.values[0]);
      },
      wait_profile(runtime, kind));
}

}  // namespace quoll::debug
