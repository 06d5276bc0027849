#include "task/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "task/assert.hpp"
#include "task/error.hpp"
#include "task/process_spawn.hpp"
#include "task/runtime.hpp"

namespace quoll::task {
namespace {

// Waits for a killed process where that holds up nobody.
struct ReapJob final : BlockingPool::Job {
  explicit ReapJob(int pidfd) : fd(::fcntl(pidfd, F_DUPFD_CLOEXEC, 0)) {}
  void run() override {
    // The descriptor is non-blocking, so waitid() itself would not wait.
    pollfd ended{fd.get(), POLLIN, 0};
    while (::poll(&ended, 1, -1) < 0 && errno == EINTR) {
    }
    siginfo_t info;
    ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(fd.get()), &info, WEXITED | WNOHANG);
    delete this;
  }
  const UniqueFd fd;
};

void kill_and_reap_now(pid_t pid) {
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// The C library's own wrappers cannot be linked from C++ in Debian 12. The pidfd is non-blocking, so that waitid() on
// it says EAGAIN instead of waiting.
UniqueFd open_pidfd(pid_t pid, const std::string& program) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, O_NONBLOCK)));
  if (fd) return fd;
  const int error = errno;
  kill_and_reap_now(pid);
  throw system_error(error, program + ": open pidfd");
}

}  // namespace

std::string to_string(const ProcessExit& exit) {
  if (exit.signal == 0) return "exit status " + std::to_string(exit.code);
  const char* const name = ::sigdescr_np(exit.signal);
  return "signal " + std::to_string(exit.signal) + " (" + (name != nullptr ? name : "unknown") + ")";
}

Process::Process(std::string program, pid_t pid, AsyncFd pidfd, bool leads_group)
    : program_(std::move(program)),
      pid_(pid),
      pidfd_(std::move(pidfd)),
      leads_group_(leads_group),
      worker_(Worker::current()) {}

Process::Process(Process&& other) noexcept
    : program_(std::move(other.program_)),
      pid_(std::exchange(other.pid_, 0)),
      pidfd_(std::move(other.pidfd_)),
      leads_group_(other.leads_group_),
      worker_(other.worker_),
      exit_(other.exit_) {}

Process Process::start(const ProcessOptions& options) {
  QUOLL_ASSERT(Worker::current() != nullptr);
  const pid_t pid = spawn_process(options);
  UniqueFd fd = open_pidfd(pid, options.argv[0]);
  try {
    return Process(options.argv[0], pid, AsyncFd(std::move(fd)), options.new_process_group || options.new_session);
  } catch (...) {
    kill_and_reap_now(pid);
    throw;
  }
}

Process::~Process() {
  if (pid_ == 0 || exit_) return;
  try {
    kill(SIGKILL);
    if (reap()) return;
    auto job = std::make_unique<ReapJob>(pidfd());
    if (job->fd) {
      worker_->runtime().blocking_pool().submit(*job);
      static_cast<void>(job.release());  // it deletes itself
      return;
    }
  } catch (...) {
    // No memory, no descriptor or no thread: wait here.
  }
  kill_and_reap_now(pid_);
}

bool Process::kill(int signal) {
  // Until it is reaped, its pid, which is the group's id too, is nobody else's.
  if (exit_) return false;
  const long outcome =
      leads_group_ ? ::kill(-pid_, signal) : ::syscall(SYS_pidfd_send_signal, pidfd(), signal, nullptr, 0);
  if (outcome == 0) return true;
  if (errno == ESRCH) return false;
  throw system_error(errno, program_ + ": send signal " + std::to_string(signal));
}

bool Process::reap() {
  siginfo_t info{};
  while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd()), &info, WEXITED | WNOHANG) != 0) {
    if (errno == EAGAIN) return false;
    if (errno == ECHILD) {
      exit_.emplace();  // gone all the same: there is nothing to kill or to reap
      throw Error(ErrorClass::kInternal, program_ + ": its exit status was taken by another part of the program");
    }
    if (errno != EINTR) throw system_error(errno, program_ + ": wait");
  }
  if (info.si_pid == 0) return false;
  exit_ = info.si_code == CLD_EXITED ? ProcessExit{info.si_status, 0} : ProcessExit{0, info.si_status};
  return true;
}

Task<ProcessExit> Process::wait() {
  while (!exit_ && !reap()) co_await pidfd_.readable();
  co_return *exit_;
}

}  // namespace quoll::task
