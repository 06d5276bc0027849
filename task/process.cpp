#include "task/process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::task {
namespace {

constexpr int kFirstHighFd = 64;  // above all numbers that a child is given

// posix_spawn's two structures, with the descriptors that they refer to.
class SpawnSetup {
 public:
  explicit SpawnSetup(const ProcessOptions& options) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    // A target number may be another one's source: all sources are moved out of the way first.
    const int given[3] = {options.standard_input, options.standard_output, options.standard_error};
    for (int number = 0; number < 3; ++number) {
      if (given[number] >= 0) {
        map(given[number], number);
      } else {
        ::posix_spawn_file_actions_addopen(&actions_, number, "/dev/null", number == 0 ? O_RDONLY : O_WRONLY, 0);
      }
    }
    for (const auto& [ours, theirs] : options.inherited_fds) map(ours, theirs);
    if (!options.working_directory.empty()) {
      ::posix_spawn_file_actions_addchdir_np(&actions_, options.working_directory.c_str());
    }
    set_attributes(options);
  }
  ~SpawnSetup() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  void map(int ours, int theirs) {
    UniqueFd high(::fcntl(ours, F_DUPFD_CLOEXEC, kFirstHighFd));
    if (!high) throw system_error(errno, "duplicate descriptor");
    ::posix_spawn_file_actions_adddup2(&actions_, high.get(), theirs);
    sources_.push_back(std::move(high));
  }
  void set_attributes(const ProcessOptions& options) {
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (options.new_process_group) flags |= POSIX_SPAWN_SETPGROUP;
    if (options.new_session) flags |= POSIX_SPAWN_SETSID;
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(&attributes_, flags);
  }

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  std::vector<UniqueFd> sources_;
};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const std::string& string : strings) result.push_back(const_cast<char*>(string.c_str()));
  result.push_back(nullptr);
  return result;
}

struct Pipe {
  UniqueFd reading;
  UniqueFd writing;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error(errno, "pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Task<std::string> read_all(UniqueFd fd, std::size_t bytes_max) {
  AsyncFd pipe(std::move(fd));
  std::string text;
  char buffer[4096];
  while (true) {
    const std::size_t bytes = co_await pipe.read_some(buffer);
    if (bytes == 0) co_return text;
    text.append(buffer, std::min(bytes, bytes_max - text.size()));
  }
}

Task<void> write_input(UniqueFd fd, const std::string* text) {
  AsyncFd pipe(std::move(fd));
  try {
    co_await pipe.write_all(*text);
  } catch (const Error&) {
    // The program does not read all of its input: that is its own affair.
  }
}

}  // namespace

Process::Process(pid_t pid, UniqueFd pidfd, bool leads_group)
    : pid_(pid), leads_group_(leads_group), pidfd_(std::move(pidfd)) {}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      leads_group_(other.leads_group_),
      pidfd_(std::move(other.pidfd_)),
      exit_(other.exit_) {}

Process::~Process() {
  if (pid_ == 0) return;
  kill(SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Process Process::start(const ProcessOptions& options) {
  const SpawnSetup setup(options);
  const std::vector<char*> argv = pointers(options.argv);
  std::vector<char*> env;
  if (options.env) env = pointers(*options.env);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], setup.actions(), setup.attributes(), argv.data(),
                                   options.env ? env.data() : environ);
  if (error != 0) throw system_error(error, "start " + options.argv[0]);
  // The child is not reaped by anybody else, so its pid is still its own.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int open_error = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw system_error(open_error, "watch " + options.argv[0]);
  }
  return Process(pid, std::move(pidfd), options.new_process_group || options.new_session);
}

Task<ProcessExit> Process::wait() {
  if (exit_) co_return *exit_;
  co_await pidfd_.readable();
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) throw system_error(errno, "wait for process " + std::to_string(pid_));
  }
  pid_ = 0;
  exit_ = WIFSIGNALED(status) ? ProcessExit{0, WTERMSIG(status)} : ProcessExit{WEXITSTATUS(status), 0};
  co_return *exit_;
}

void Process::kill(int signal) {
  if (pid_ == 0) return;
  if (leads_group_) {
    ::kill(-pid_, signal);
  } else {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
  }
}

Task<CommandResult> run_command(std::vector<std::string> argv, CommandOptions options) {
  Pipe input = make_pipe();
  Pipe output = make_pipe();
  Pipe error = make_pipe();
  ProcessOptions process_options;
  process_options.argv = std::move(argv);
  process_options.env = std::move(options.env);
  process_options.standard_input = input.reading.get();
  process_options.standard_output = output.writing.get();
  process_options.standard_error = error.writing.get();
  process_options.new_process_group = true;
  Process process = Process::start(process_options);
  input.reading.reset();
  output.writing.reset();
  error.writing.reset();

  CommandResult result;
  auto [written, standard_output, standard_error] =
      co_await when_all(write_input(std::move(input.writing), &options.standard_input),
                        read_all(std::move(output.reading), options.output_bytes_max),
                        read_all(std::move(error.reading), options.output_bytes_max));
  result.standard_output = std::move(standard_output);
  result.standard_error = std::move(standard_error);
  result.exit = co_await process.wait();
  co_return result;
}

}  // namespace quoll::task
