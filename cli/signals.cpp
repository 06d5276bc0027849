#include "cli/signals.hpp"

#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

#include "task/error.hpp"

namespace quoll::cli {
namespace {

sigset_t ending_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals, signal);
  return signals;
}

UniqueFd open_signalfd() {
  const sigset_t signals = ending_signals();
  UniqueFd descriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor) throw system_error(errno, "signalfd");
  return descriptor;
}

}  // namespace

void block_ending_signals() {
  const sigset_t signals = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

EndingSignals::EndingSignals() : descriptor_(open_signalfd()) {}

task::Task<int> EndingSignals::next() {
  signalfd_siginfo info;
  co_await descriptor_.read_some({reinterpret_cast<char*>(&info), sizeof info});
  co_return static_cast<int>(info.ssi_signo);
}

}  // namespace quoll::cli
