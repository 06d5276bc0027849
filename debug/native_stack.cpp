#include "debug/native_stack.hpp"

#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>

// Set by the linker: where the program's own code lies, which is compiled with frame pointers.
extern "C" const char __executable_start;
extern "C" const char etext;

namespace quoll::debug {
namespace {

// More than this between two frames is no stack of ours.
constexpr std::uintptr_t kFrameBytesMax = 1024 * 1024;
// How far up a library's frames are searched for the return address into the program.
constexpr std::size_t kSearchWords = 128;

bool in_program(std::uintptr_t pc) {
  return pc >= reinterpret_cast<std::uintptr_t>(&__executable_start) && pc < reinterpret_cast<std::uintptr_t>(&etext);
}

// The thread's stack as the kernel reads it, up to a page at a time: a bad address is an error and no fault.
class StackMemory {
 public:
  bool read(std::uintptr_t address, std::uintptr_t& word) noexcept {
    if (address % sizeof(word) != 0 || address < kPage) return false;
    if ((address < start_ || address >= end_) && !load(address)) return false;
    std::memcpy(&word, bytes_.data() + (address - start_), sizeof(word));
    return true;
  }

 private:
  static constexpr std::uintptr_t kPage = 4096;

  // Only what lies above the address: below it, on the same stack, is what this writes into.
  bool load(std::uintptr_t address) noexcept {
    const std::uintptr_t end = (address & ~(kPage - 1)) + kPage;
    const std::size_t size = end - address;
    const iovec here{bytes_.data(), size};
    const iovec there{reinterpret_cast<void*>(address), size};
    start_ = end_ = 0;
    if (::process_vm_readv(::getpid(), &here, 1, &there, 1, 0) != static_cast<ssize_t>(size)) return false;
    start_ = address;
    end_ = end;
    return true;
  }

  std::uintptr_t start_ = 0;
  std::uintptr_t end_ = 0;
  alignas(16) std::array<char, kPage> bytes_;
};

// Whether the instruction before a return address of the program is a call; so a number that only looks like one is
// mostly told apart.
bool follows_call(std::uintptr_t pc) {
#if defined(__x86_64__)
  if (pc - reinterpret_cast<std::uintptr_t>(&__executable_start) < 8) return false;
  const auto* const code = reinterpret_cast<const unsigned char*>(pc);
  if (code[-5] == 0xe8) return true;  // call rel32
  for (int size = 2; size <= 7; ++size) {
    // call r/m64: ff /2
    if (code[-size] == 0xff && (code[1 - size] & 0x38) == 0x10) return true;
  }
  return false;
#else
  return pc % 4 == 0;
#endif
}

// Follows the chain of frame records (the caller's frame pointer, and the return address) from a frame whose code is at
// `pc`. `top` is the lowest address that is not yet accounted for.
class Unwinder {
 public:
  explicit Unwinder(NativeStack& stack) : stack_(stack) { stack_.depth = 0; }

  void run(std::uintptr_t pc, std::uintptr_t frame, std::uintptr_t top) noexcept {
    top_ = top;
    frame_ = frame;
    push(pc);
    bool library = !in_program(pc);
    while (stack_.depth < kNativeFramesMax) {
      if (library || !is_above(frame_, top_)) leave_library();
      std::uintptr_t next = 0;
      std::uintptr_t return_address = 0;
      if (!is_above(frame_, top_) || !memory_.read(frame_, next)) return;
      if (!memory_.read(frame_ + kWord, return_address) || return_address < 4096) return;
      push(return_address - 1);
      library = !in_program(return_address);
      top_ = frame_ + 2 * kWord;
      frame_ = next;
    }
  }

 private:
  static constexpr std::uintptr_t kWord = sizeof(std::uintptr_t);

  static bool is_above(std::uintptr_t frame, std::uintptr_t top) {
    return frame >= top && frame - top < kFrameBytesMax && frame % kWord == 0;
  }
  static bool is_return_address(std::uintptr_t value) { return in_program(value) && follows_call(value); }

  void push(std::uintptr_t pc) noexcept {
    if (stack_.depth < kNativeFramesMax) stack_.pcs[stack_.depth++] = pc;
  }

  // Finds the program's function that called a library's (or one of a static library's). Where the library has left the
  // frame pointer alone, it is still that function's; where it has used the register for something else, the next
  // record on the stack is taken.
  void leave_library() noexcept {
    const bool chained = is_above(frame_, top_);
    std::uintptr_t at = (top_ + kWord - 1) & ~(kWord - 1);
    const std::uintptr_t end = std::min(chained ? frame_ : UINTPTR_MAX, at + kSearchWords * kWord);
    std::uintptr_t before = 0;
    std::uintptr_t value = 0;
    for (; at < end && memory_.read(at, value) && !is_return_address(value); at += kWord) before = value;
    if (at >= end || !is_return_address(value)) return;
    push(value - 1);
    if (chained) return;
    if (is_above(before, at + kWord)) {  // the library began by saving it
      frame_ = before;
      return;
    }
    for (at += kWord; at < end && memory_.read(at, value); at += kWord) {
      std::uintptr_t next = 0;
      if (!is_above(value, at + kWord) || !memory_.read(at + kWord, next) || !is_return_address(next)) continue;
      frame_ = at;
      return;
    }
  }

  NativeStack& stack_;
  StackMemory memory_;
  std::uintptr_t top_ = 0;
  std::uintptr_t frame_ = 0;
};

// One question at a time; the asked thread's handler answers it.
class Interrogation {
 public:
  bool ask(pid_t thread_id, std::chrono::milliseconds bound, ThreadFunction function, void* argument) noexcept {
    std::lock_guard lock(mutex_);
    if (!install()) return false;
    thread_id_ = thread_id;
    function_ = function;
    argument_ = argument;
    state_.store(kAsked, std::memory_order_release);
    if (::syscall(SYS_tgkill, ::getpid(), thread_id, SIGURG) == 0) wait(bound);
    std::uint32_t asked = kAsked;
    if (state_.compare_exchange_strong(asked, kIdle)) return false;
    while (state_.load(std::memory_order_acquire) != kAnswered) ::sched_yield();  // it writes; some microseconds
    return true;
  }

  void answer(const void* context) noexcept {
    std::uint32_t asked = kAsked;
    if (state_.load(std::memory_order_acquire) != kAsked || thread_id_ != ::gettid()) return;
    if (!state_.compare_exchange_strong(asked, kWriting)) return;
    function_(argument_, context);
    state_.store(kAnswered, std::memory_order_release);
    ::syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }

 private:
  enum State : std::uint32_t { kIdle, kAsked, kWriting, kAnswered };

  static bool install() noexcept;

  void wait(std::chrono::milliseconds bound) noexcept {
    const auto end = std::chrono::steady_clock::now() + bound;
    while (true) {
      const std::uint32_t state = state_.load(std::memory_order_acquire);
      const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(end - std::chrono::steady_clock::now());
      if (state == kAnswered || left.count() <= 0) return;
      const timespec timeout{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
      ::syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, state, &timeout, nullptr, 0);
    }
  }

  std::mutex mutex_;
  std::atomic<std::uint32_t> state_{kIdle};
  // Constant while a question is open.
  pid_t thread_id_ = 0;
  ThreadFunction function_ = nullptr;
  void* argument_ = nullptr;
};

constinit Interrogation interrogation;

void answer_in_handler(int, siginfo_t*, void* context) {
  const int saved_errno = errno;
  interrogation.answer(context);
  errno = saved_errno;
}

bool Interrogation::install() noexcept {
  struct sigaction action{};
  action.sa_sigaction = answer_in_handler;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  return ::sigaction(SIGURG, &action, nullptr) == 0;
}

}  // namespace

void unwind_interrupted(const void* context, NativeStack& stack) noexcept {
  const mcontext_t& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  const auto pc = static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
  const auto frame = static_cast<std::uintptr_t>(machine.gregs[REG_RBP]);
  const auto top = static_cast<std::uintptr_t>(machine.gregs[REG_RSP]);
#elif defined(__aarch64__)
  const auto pc = static_cast<std::uintptr_t>(machine.pc);
  const auto frame = static_cast<std::uintptr_t>(machine.regs[29]);
  const auto top = static_cast<std::uintptr_t>(machine.sp);
#else
#error "native stacks are known for x86-64 and arm64"
#endif
  Unwinder(stack).run(pc, frame, top);
}

[[gnu::noinline]] void unwind_here(NativeStack& stack) noexcept {
  // This function's own frame leads to its caller's: the return address lies in the caller's code.
  const auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const auto* const words = reinterpret_cast<const std::uintptr_t*>(frame);
  Unwinder(stack).run(words[1] - 1, words[0], frame + sizeof(frame));
}

bool call_on_thread(pid_t thread_id, std::chrono::milliseconds bound, ThreadFunction function,
                    void* argument) noexcept {
  return interrogation.ask(thread_id, bound, function, argument);
}

std::optional<NativeStack> stack_of_thread(pid_t thread_id, std::chrono::milliseconds bound) noexcept {
  NativeStack stack;
  stack.depth = 0;
  const auto unwind = [](void* into, const void* context) noexcept {
    unwind_interrupted(context, *static_cast<NativeStack*>(into));
  };
  if (!call_on_thread(thread_id, bound, unwind, &stack)) return std::nullopt;
  return stack;
}

}  // namespace quoll::debug
