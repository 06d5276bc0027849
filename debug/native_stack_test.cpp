#include "debug/native_stack.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "debug/native_symbols.hpp"

namespace quoll::debug {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> names_of(const NativeStack& stack) {
  std::vector<std::string> names;
  for (const NativeSymbol& symbol : symbolize_native(stack.frames())) names.push_back(symbol.function);
  return names;
}

// True where `wanted` occur in that order, with anything between.
bool in_order(const std::vector<std::string>& names, const std::vector<std::string>& wanted) {
  auto at = names.begin();
  for (const std::string& name : wanted) {
    at = std::find_if(at, names.end(), [&](const std::string& each) { return each.ends_with(name); });
    if (at == names.end()) return false;
    ++at;
  }
  return true;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return text;
}

[[clang::noinline]] static void innermost(NativeStack& stack) {
  unwind_here(stack);
  asm volatile("" ::: "memory");
}
[[clang::noinline]] static void middle(NativeStack& stack) {
  innermost(stack);
  asm volatile("" ::: "memory");
}
[[clang::noinline]] static void outermost(NativeStack& stack) {
  middle(stack);
  asm volatile("" ::: "memory");
}

TEST(native_stack, names_the_static_functions_that_called_it_innermost_first) {
  NativeStack stack;
  outermost(stack);
  const std::vector<std::string> names = names_of(stack);
  ASSERT_GE(names.size(), 4u) << joined(names);
  EXPECT_TRUE(names[0].ends_with("innermost")) << joined(names);
  EXPECT_TRUE(in_order(names, {"innermost", "middle", "outermost", "TestBody"})) << joined(names);
}

[[clang::noinline]] static int deep(NativeStack& stack, int depth) {
  if (depth == 0) {
    unwind_here(stack);
    return 0;
  }
  const int result = deep(stack, depth - 1) + 1;
  asm volatile("" ::: "memory");
  return result;
}

TEST(native_stack, keeps_the_innermost_of_a_deep_stack) {
  NativeStack stack;
  deep(stack, 1000);
  EXPECT_EQ(stack.depth, kNativeFramesMax);
  EXPECT_TRUE(names_of(stack).back().ends_with("deep"));
}

static int compare_and_unwind(const void* a, const void* b, void* stack) {
  unwind_here(*static_cast<NativeStack*>(stack));
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}
[[clang::noinline, maybe_unused]] static void sort_with_callback(NativeStack& stack) {
  int numbers[] = {2, 1};
  ::qsort_r(numbers, 2, sizeof(int), compare_and_unwind, &stack);
  asm volatile("" ::: "memory");
}

// What earlier calls have left below looks like callers to a search.
[[clang::noinline, maybe_unused]] static void clear_the_stack_below() {
  char room[64 * 1024];
  ::explicit_bzero(room, sizeof room);
}

// ThreadSanitizer puts frames of its own, without frame pointers, between a library and its caller, and hands signals
// on later than they are sent: there the stacks are not those of the program as it runs without it.
#if !__has_feature(thread_sanitizer)
TEST(native_stack, goes_on_behind_a_library_without_frame_pointers) {
  NativeStack stack;
  clear_the_stack_below();
  sort_with_callback(stack);
  const std::vector<std::string> names = names_of(stack);
  EXPECT_TRUE(in_order(names, {"compare_and_unwind", "sort_with_callback", "TestBody"})) << joined(names);
}
#endif

// Of a busy machine: no more than a bound.
constexpr auto kPatience = 30s;

struct Spinner {
  std::atomic<pid_t> thread_id{0};
  std::atomic<bool> stop{false};
  int wake[2] = {-1, -1};  // what ends the sleep
  std::thread thread;

  [[clang::noinline]] void spin_for_the_test() {
    thread_id = ::gettid();
    while (!stop.load()) asm volatile("" ::: "memory");
  }
  [[clang::noinline]] void sleep_for_the_test() {
    thread_id = ::gettid();
    char byte = 0;
    while (!stop.load()) {
      if (::read(wake[0], &byte, 1) == 1) return;
    }
  }
  void start(void (Spinner::*body)()) {
    thread = std::thread(body, this);
    while (thread_id == 0) std::this_thread::yield();
  }
  // Once it sleeps, it does so until the end.
  void wait_until_asleep() const {
    const std::string path = "/proc/self/task/" + std::to_string(thread_id) + "/stat";
    for (std::string text; !text.ends_with('S'); std::this_thread::yield()) {
      std::getline(std::ifstream(path), text);
      text.resize(text.rfind(')') + 3);  // the state stands behind the name
    }
  }
  Spinner() { EXPECT_EQ(::pipe2(wake, O_CLOEXEC), 0); }
  ~Spinner() {
    stop = true;
    EXPECT_EQ(::write(wake[1], "", 1), 1);
    thread.join();
    for (const int end : wake) ::close(end);
  }
};

#if !__has_feature(thread_sanitizer)
TEST(native_stack, another_threads_stack_while_it_spins) {
  Spinner spinner;
  spinner.start(&Spinner::spin_for_the_test);
  const std::optional<NativeStack> stack = stack_of_thread(spinner.thread_id, kPatience);
  ASSERT_TRUE(stack);
  EXPECT_TRUE(in_order(names_of(*stack), {"Spinner::spin_for_the_test"})) << joined(names_of(*stack));
}

TEST(native_stack, another_threads_stack_while_it_sleeps_in_a_system_call) {
  Spinner spinner;
  spinner.start(&Spinner::sleep_for_the_test);
  spinner.wait_until_asleep();
  const std::optional<NativeStack> stack = stack_of_thread(spinner.thread_id, kPatience);
  ASSERT_TRUE(stack);
  EXPECT_TRUE(in_order(names_of(*stack), {"Spinner::sleep_for_the_test"})) << joined(names_of(*stack));
}
#endif

TEST(native_stack, a_thread_that_does_not_exist_or_takes_no_signals_gives_nothing_in_time) {
  pid_t ended = 0;
  std::thread([&ended] { ended = ::gettid(); }).join();
  EXPECT_FALSE(stack_of_thread(ended, 10ms));

  std::atomic<pid_t> deaf{0};
  std::atomic<bool> stop{false};
  std::thread thread([&] {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    deaf = ::gettid();
    while (!stop) std::this_thread::yield();
  });
  while (deaf == 0) std::this_thread::yield();
  EXPECT_FALSE(stack_of_thread(deaf, 10ms));
  stop = true;
  thread.join();
  // The next question is not disturbed by what came of the last.
  EXPECT_TRUE(stack_of_thread(::gettid(), kPatience));
}

TEST(native_stack, threads_that_ask_at_once_take_turns) {
  Spinner spinner;
  spinner.start(&Spinner::spin_for_the_test);
  std::atomic<int> good{0};
  std::vector<std::thread> askers;
  for (int i = 0; i < 4; ++i) {
    askers.emplace_back([&] {
      for (int turn = 0; turn < 25; ++turn) {
        const auto stack = stack_of_thread(spinner.thread_id, kPatience);
        if (stack && stack->depth > 0) ++good;
      }
    });
  }
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(good, 100);
}

TEST(native_symbols, names_for_people) {
  EXPECT_EQ(native_function_name("memcpy"), "memcpy");
  EXPECT_EQ(native_function_name("_ZN5quoll4task6Worker8run_taskERNS0_10TaskRecordE"), "quoll::task::Worker::run_task");
  EXPECT_EQ(native_function_name("_ZN5quoll3api4pingERNS_4http7RequestERNS1_8ResponseE.resume"), "quoll::api::ping");
  EXPECT_EQ(native_function_name("_ZNSt6vectorIiSaIiEE9push_backEOi"), "std::vector<...>::push_back");
  EXPECT_EQ(native_function_name("_ZZN5quoll1fEvENKUliE_clEi"), "quoll::f::lambda");
  EXPECT_EQ(native_function_name("_ZN5quoll12_GLOBAL__N_11gEi"), "quoll::g");
  EXPECT_EQ(native_function_name("_ZlsRSoRK1A"), "operator<<");
}

TEST(native_symbols, libraries_have_their_modules_name_and_what_is_not_mapped_is_unknown) {
  const std::uintptr_t pcs[] = {reinterpret_cast<std::uintptr_t>(&::qsort_r), 16};
  const std::vector<NativeSymbol> symbols = symbolize_native(pcs);
  ASSERT_EQ(symbols.size(), 2u);
#ifndef QUOLL_SANITIZED
  EXPECT_EQ(symbols[0].function, "qsort_r");
  EXPECT_EQ(symbols[0].module, "libc.so.6");
#endif
  EXPECT_EQ(symbols[1].function, "unknown");
  EXPECT_EQ(symbols[1].module, "");
}

}  // namespace
}  // namespace quoll::debug
