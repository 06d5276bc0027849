#include "task/signals.hpp"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

#include "task/error.hpp"

namespace quoll::task {
namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) ::sigaddset(&set, signal);
  return set;
}

UniqueFd open_signalfd(std::initializer_list<int> signals) {
  const sigset_t set = set_of(signals);
  UniqueFd descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor) throw system_error(errno, "signalfd");
  return descriptor;
}

}  // namespace

void block_signals(std::initializer_list<int> signals) {
  const sigset_t set = set_of(signals);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

SignalWaiter::SignalWaiter(std::initializer_list<int> signals) : descriptor_(open_signalfd(signals)) {}

Task<int> SignalWaiter::next() {
  signalfd_siginfo info;
  co_await descriptor_.read_some({reinterpret_cast<char*>(&info), sizeof info});
  co_return static_cast<int>(info.ssi_signo);
}

}  // namespace quoll::task
