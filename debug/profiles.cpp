#include "debug/profiles.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "debug/cpu_profiler.hpp"
#include "debug/heap_sampler.hpp"
#include "debug/threads.hpp"
#include "debug/wait_profile.hpp"
#include "task/blocking.hpp"
#include "task/timer.hpp"

namespace quoll::debug {
namespace {

using namespace std::chrono;

nanoseconds since_epoch() { return system_clock::now().time_since_epoch(); }

bool always() { return true; }

const ProfileKind& threadcreate_kind() {
  static const ProfileKind kind{"threadcreate", {{"threadcreate", "count"}}, {"threadcreate", "count"}, 1, {}};
  return kind;
}

// Threads by who makes them; Go has the stack that made them.
ValueProfile threads_profile(task::Runtime& runtime) {
  ValueProfile profile;
  for (const Thread& thread : list_threads()) {
    const auto is_own = [&](const auto& worker) { return worker->name().substr(0, 15) == thread.name; };
    std::string maker = "unknown";
    if (std::any_of(runtime.workers().begin(), runtime.workers().end(), is_own)) maker = "quoll::task::Runtime::start";
    if (thread.name == "blocking") maker = "quoll::task::BlockingPool::start_detached";
    if (thread.is_main) maker = "main";
    profile.add({{&native_place(maker, "")}, {{"thread", thread.name}}, {1}});
  }
  return profile;
}

std::string threads_text(task::Runtime& runtime) {
  const ValueProfile profile = threads_profile(runtime);
  return legacy_text(
      "threadcreate profile: total " + std::to_string(profile.total(0)) + "\n",
      [](const ValueSample& sample) { return std::to_string(sample.values[0]); }, profile);
}

constexpr std::array<CumulativeProfile, 5> kProfiles{{
    {"allocs", allocs_kind, heap_is_sampled, [](task::Runtime&) { return heap_stack_count(); },
     [](task::Runtime&) { return heap_profile(); }, [](task::Runtime&) { return heap_text(); },
     "A sampling of all past memory allocations"},
    {"block", block_kind, always, [](task::Runtime& runtime) { return wait_stack_count(runtime, WaitKind::kBlock); },
     [](task::Runtime& runtime) { return wait_profile(runtime, WaitKind::kBlock); },
     [](task::Runtime& runtime) { return wait_text(runtime, WaitKind::kBlock); },
     "Where tasks have waited, and for how long in all"},
    {"heap", heap_kind, heap_is_sampled, [](task::Runtime&) { return heap_stack_count(); },
     [](task::Runtime&) { return heap_profile(); }, [](task::Runtime&) { return heap_text(); },
     "A sampling of memory allocations of live objects"},
    {"mutex", mutex_kind, always, [](task::Runtime& runtime) { return wait_stack_count(runtime, WaitKind::kMutex); },
     [](task::Runtime& runtime) { return wait_profile(runtime, WaitKind::kMutex); },
     [](task::Runtime& runtime) { return wait_text(runtime, WaitKind::kMutex); },
     "Who held the mutexes and semaphores that other tasks waited for"},
    {"threadcreate", threadcreate_kind, always, [](task::Runtime&) { return list_threads().size(); }, threads_profile,
     threads_text, "The threads of this process, by what made them"},
}};

}  // namespace

std::span<const CumulativeProfile> cumulative_profiles() { return kProfiles; }

const CumulativeProfile* find_cumulative_profile(std::string_view name) {
  const auto found = std::ranges::find(kProfiles, name, &CumulativeProfile::name);
  return found != kProfiles.end() ? &*found : nullptr;
}

task::Task<std::string> take_profile(task::Runtime& runtime, const CumulativeProfile& profile, nanoseconds duration) {
  ValueProfile before;
  ProfileTimes times;
  if (duration.count() > 0) {
    times.duration = duration;
    before = co_await task::blocking([&] { return profile.collect(runtime); });
    co_await task::sleep_for(duration);
  }
  times.since_epoch = since_epoch();
  co_return co_await task::blocking([&] {
    ValueProfile collected = profile.collect(runtime);
    collected.subtract(before);
    return gzip_profile(profile.kind(), collected, times);
  });
}

task::Task<std::string> take_cpu_profile(nanoseconds duration) {
  CpuProfiler profiler;
  const auto start = steady_clock::now();
  for (auto left = duration; left.count() > 0; left = duration - (steady_clock::now() - start)) {
    co_await task::sleep_for(std::min<nanoseconds>(left, CpuProfiler::kCollectInterval));
    profiler.collect();
  }
  profiler.stop();
  const ProfileTimes times{since_epoch(), steady_clock::now() - start};
  co_return co_await task::blocking([&] { return gzip_profile(cpu_kind(), profiler.profile(), times); });
}

}  // namespace quoll::debug
