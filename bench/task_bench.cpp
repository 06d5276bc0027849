// What tasks cost: an await, a suspension, a spawn, a blocked task's memory, a cancel. Built twice, as it is and
// without the bookkeeping that dumps need; the difference of the two is the price of tracking.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <chrono>

#include "task/channel.hpp"
#include "task/event.hpp"
#include "task/runtime.hpp"
#include "task/scope.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

// A worker on this thread.
struct Bench {
  Worker& worker = runtime.add_worker("bench");

  void spawn(Scope& scope, Task<void> work) { scope.spawn_on(worker, "bench", std::move(work)); }
  void run(Task<void> work) {
    Scope scope("bench");
    spawn(scope, std::move(work));
    drive(scope);
  }
  void drive(const Scope& scope) {
    while (scope.size() > 0) worker.poll();
  }

  static inline Runtime runtime;
};

Bench& bench() {
  static Bench instance;
  return instance;
}

[[clang::noinline]] Task<int> ready_child(int value) { co_return value + 1; }

Task<void> await_children(benchmark::State& state) {
  int value = 0;
  for (auto _ : state) {
    value = co_await ready_child(value);
    benchmark::DoNotOptimize(value);
  }
}

void await_ready_child(benchmark::State& state) { bench().run(await_children(state)); }
BENCHMARK(await_ready_child);

Task<void> yield_often(benchmark::State& state) {
  for (auto _ : state) co_await yield();
}

void suspend_and_resume(benchmark::State& state) { bench().run(yield_often(state)); }
BENCHMARK(suspend_and_resume);

Task<void> send_often(benchmark::State& state, Sender<int> out) {
  for (auto _ : state) co_await out.send(1);
}
Task<void> receive_all(Receiver<int> in) {
  while (co_await in.receive()) {
  }
}

void channel_handover(benchmark::State& state) {
  auto [sender, receiver] = make_channel<int>(0);
  Scope scope("bench");
  bench().spawn(scope, receive_all(std::move(receiver)));
  bench().spawn(scope, send_often(state, std::move(sender)));
  bench().drive(scope);
}
BENCHMARK(channel_handover);

Task<void> nothing() { co_return; }
Task<void> spawn_often(benchmark::State& state) {
  for (auto _ : state) {
    Scope scope("bench");
    scope.spawn("child", nothing());
    co_await scope.join();
  }
}

void spawn_and_join(benchmark::State& state) { bench().run(spawn_often(state)); }
BENCHMARK(spawn_and_join);

// Each frame has a local and an argument that are needed after the await, as real ones have.
[[clang::noinline]] Task<int> blocked(Event& event, int depth) {
  int local = depth;
  benchmark::DoNotOptimize(local);
  if (depth == 1) {
    co_await event.wait();
  } else {
    local += co_await blocked(event, depth - 1);
  }
  co_return local;
}
Task<void> block_4_deep(Event& event) { benchmark::DoNotOptimize(co_await blocked(event, 3)); }

std::size_t heap_bytes() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

void memory_of_a_task_blocked_4_deep(benchmark::State& state) {
  constexpr std::size_t kTasks = 100'000;
  for (auto _ : state) {
    Event event;
    Scope scope("bench");
    const std::size_t before = heap_bytes();
    for (std::size_t i = 0; i < kTasks; ++i) bench().spawn(scope, block_4_deep(event));
    while (bench().worker.poll() > 0) {
    }
    state.counters["bytes_per_task"] = static_cast<double>(heap_bytes() - before) / kTasks;
    state.counters["bytes_of_record"] = sizeof(TaskRecord);
    event.set();
    bench().drive(scope);
  }
}
BENCHMARK(memory_of_a_task_blocked_4_deep)->Iterations(3)->Unit(benchmark::kMillisecond);

// The time from cancel() until all have unwound four frames each and are joined.
void cancel_1000_tasks(benchmark::State& state) {
  for (auto _ : state) {
    Event event;
    Scope scope("bench");
    for (int i = 0; i < 1000; ++i) bench().spawn(scope, block_4_deep(event));
    while (bench().worker.poll() > 0) {
    }
    const auto start = std::chrono::steady_clock::now();
    scope.cancel(CancelReason::kClientGone);
    bench().drive(scope);
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
}
BENCHMARK(cancel_1000_tasks)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace quoll::task

BENCHMARK_MAIN();
