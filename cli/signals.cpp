#include "cli/signals.hpp"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

#include "task/error.hpp"

namespace quoll::cli {
namespace {

sigset_t set_of(std::initializer_list<int> numbers) {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : numbers) ::sigaddset(&signals, signal);
  return signals;
}

UniqueFd open_signalfd(std::initializer_list<int> numbers) {
  const sigset_t signals = set_of(numbers);
  UniqueFd descriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor) throw system_error(errno, "signalfd");
  return descriptor;
}

}  // namespace

void block_ending_signals() {
  const sigset_t signals = set_of({SIGINT, SIGTERM, SIGHUP, SIGWINCH});
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

EndingSignals::EndingSignals() : descriptor_(open_signalfd({SIGINT, SIGTERM, SIGHUP})) {}

task::Task<int> EndingSignals::next() {
  signalfd_siginfo info;
  co_await descriptor_.read_some({reinterpret_cast<char*>(&info), sizeof info});
  co_return static_cast<int>(info.ssi_signo);
}

ResizeSignals::ResizeSignals() : descriptor_(open_signalfd({SIGWINCH})) {}

task::Task<void> ResizeSignals::next() {
  signalfd_siginfo info;
  co_await descriptor_.read_some({reinterpret_cast<char*>(&info), sizeof info});
}

}  // namespace quoll::cli
