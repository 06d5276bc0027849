#include "debug/cpu_profiler.hpp"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "debug/sample_ring.hpp"
#include "debug/stack_sample.hpp"
#include "debug/threads.hpp"
#include "task/error.hpp"

// Not in glibc 2.36's headers, but what the kernel reads.
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace quoll::debug {
namespace {

constexpr std::int64_t kPeriodNs = 1'000'000'000 / kCpuSamplesPerSecond;

// Where handlers put what they see; null while nobody profiles.
constinit std::atomic<SampleRing*> active_ring{nullptr};
constinit std::atomic<int> running_handlers{0};
constinit std::atomic<bool> in_use{false};

void take_sample(int, siginfo_t*, void* context) {
  const int saved_errno = errno;
  running_handlers.fetch_add(1);
  if (SampleRing* const ring = active_ring.load()) {
    if (ThreadSample* const sample = ring->claim()) {
      sample->thread_id = ::gettid();
      unwind_interrupted(context, sample->stack.native);
      note_running_task(sample->stack);
      ring->publish(*sample);
    }
  }
  running_handlers.fetch_sub(1);
  errno = saved_errno;
}

// It stays for good: a signal that is under way when the last timer has been deleted would end the process otherwise.
void install_handler() {
  struct sigaction action{};
  action.sa_sigaction = take_sample;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  ::sigfillset(&action.sa_mask);
  if (::sigaction(SIGPROF, &action, nullptr) != 0) throw system_error(errno, "sigaction SIGPROF");
}

// A thread's timer on its own processor time, for as long as this lives.
class ThreadTimer {
 public:
  explicit ThreadTimer(pid_t thread_id) : name(thread_name(thread_id)) {
    // As pthread_getcpuclockid() makes it: the kernel's number of a thread's clock.
    const auto clock = static_cast<clockid_t>((~static_cast<unsigned>(thread_id) << 3) | 6);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGPROF;
    event.sigev_notify_thread_id = thread_id;
    armed_ = ::timer_create(clock, &event, &timer_) == 0;  // not where the thread has ended
    if (!armed_) return;
    const timespec period{0, kPeriodNs};
    // Threads that began together are not sampled together.
    const timespec first{0, 1 + kPeriodNs * (thread_id % 16) / 16};
    const itimerspec times{period, first};
    ::timer_settime(timer_, 0, &times, nullptr);
  }
  ~ThreadTimer() {
    if (armed_) ::timer_delete(timer_);
  }
  ThreadTimer(const ThreadTimer&) = delete;
  ThreadTimer& operator=(const ThreadTimer&) = delete;

  const std::string name;

 private:
  timer_t timer_{};
  bool armed_ = false;
};

// What is told apart while samples come in; names are found at the end.
struct RawKey {
  std::vector<std::uintptr_t> pcs;
  std::vector<std::source_location> awaits;
  std::string_view task;
  std::string route;
  std::string thread;

  auto parts() const { return std::tie(pcs, task, route, thread); }
  bool operator<(const RawKey& other) const {
    if (parts() != other.parts()) return parts() < other.parts();
    const auto less = [](const std::source_location& a, const std::source_location& b) {
      return std::bit_cast<std::uintptr_t>(a) < std::bit_cast<std::uintptr_t>(b);
    };
    return std::lexicographical_compare(awaits.begin(), awaits.end(), other.awaits.begin(), other.awaits.end(), less);
  }
};

std::size_t ring_size() { return std::clamp<std::size_t>(std::thread::hardware_concurrency() * 32, 128, 2048); }

}  // namespace

struct CpuProfiler::State {
  SampleRing ring{ring_size()};
  std::map<pid_t, ThreadTimer> timers;
  std::map<pid_t, std::string> names;  // of ended threads too: their last samples come later
  std::map<RawKey, std::int64_t> counts;
  bool stopped = false;

  void follow_threads() {
    const std::vector<pid_t> ids = list_thread_ids();
    std::erase_if(timers,
                  [&](const auto& timer) { return std::find(ids.begin(), ids.end(), timer.first) == ids.end(); });
    for (const pid_t id : ids) {
      const auto [timer, added] = timers.try_emplace(id, id);
      if (added) names[id] = timer->second.name;
    }
  }

  void drain() {
    ring.drain([this](const ThreadSample& sample) {
      RawKey key;
      const auto pcs = sample.stack.native.frames();
      const auto awaits = sample.stack.await_chain();
      key.pcs.assign(pcs.begin(), pcs.end());
      key.awaits.assign(awaits.begin(), awaits.end());
      key.task = sample.stack.task;
      key.route = sample.stack.route_text();
      if (const auto name = names.find(sample.thread_id); name != names.end()) key.thread = name->second;
      ++counts[std::move(key)];
    });
  }
};

const ProfileKind& cpu_kind() {
  static const ProfileKind kind{
      "profile", {{"samples", "count"}, {"cpu", "nanoseconds"}}, {"cpu", "nanoseconds"}, kPeriodNs, {}};
  return kind;
}

CpuProfiler::CpuProfiler() {
  if (in_use.exchange(true)) throw Error(ErrorClass::kInternal, "cpu profiling already in use");
  try {
    state_ = std::make_unique<State>();
    install_handler();
    active_ring.store(&state_->ring);
    state_->follow_threads();
  } catch (...) {
    active_ring.store(nullptr);
    in_use.store(false);
    throw;
  }
}

CpuProfiler::~CpuProfiler() { stop(); }

void CpuProfiler::collect() {
  state_->drain();
  state_->follow_threads();
}

void CpuProfiler::stop() {
  if (std::exchange(state_->stopped, true)) return;
  state_->timers.clear();
  active_ring.store(nullptr);
  while (running_handlers.load() != 0) std::this_thread::yield();  // some microseconds each
  state_->drain();
  in_use.store(false);
}

ValueProfile CpuProfiler::profile() const {
  std::vector<std::uintptr_t> pcs;
  for (const auto& [key, count] : state_->counts) pcs.insert(pcs.end(), key.pcs.begin(), key.pcs.end());
  const std::vector<NativeSymbol> symbols = symbolize_native(pcs);
  std::span<const NativeSymbol> rest = symbols;
  ValueProfile profile;
  for (const auto& [key, count] : state_->counts) {
    ValueSample sample{.stack = whole_stack(rest.first(key.pcs.size()), key.awaits),
                       .values = {count, count * kPeriodNs}};
    rest = rest.subspan(key.pcs.size());
    if (!key.route.empty()) sample.labels.emplace_back("route", key.route);
    if (!key.task.empty()) sample.labels.emplace_back("task", key.task);
    if (!key.thread.empty()) sample.labels.emplace_back("thread", key.thread);
    profile.add(std::move(sample));
  }
  return profile;
}

std::uint64_t CpuProfiler::lost() const { return state_->ring.lost(); }

}  // namespace quoll::debug
