#include "mgr/runtime/monitor.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "mgr/image/durable_file.hpp"
#include "monitor/attach_protocol.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"
#include "task/fd.hpp"
#include "task/process.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kSyncMessageBytesMax = 64 * 1024;
constexpr std::size_t kSmallFileBytesMax = 64 * 1024;

const std::vector<std::string>& program_environment() {
  static const std::vector<std::string> environment{
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  return environment;
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0 ? name : "";
  for (const char* directory : {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
    if (::access((directory + name).c_str(), X_OK) == 0) return directory + name;
  }
  return "";
}

std::string own_directory() {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length < 0) throw system_error(errno, "readlink /proc/self/exe");
  const std::string_view whole(path, static_cast<std::size_t>(length));
  return std::string(whole.substr(0, whole.rfind('/')));
}

// The monitor's arguments for `verb`, up to its options.
std::vector<std::string> monitor_arguments(const RuntimePrograms& programs, const char* verb, const std::string& id,
                                           const std::string& bundle, const MonitoredStreams& streams) {
  std::vector<std::string> argv{programs.monitor, verb, "--id", id, "--bundle", bundle};
  if (streams.terminal) argv.push_back("--terminal");
  if (streams.open_stdin) argv.push_back("--stdin");
  return argv;
}

void add_runtime(std::vector<std::string>& argv, const RuntimePrograms& programs, std::vector<std::string> program) {
  argv.push_back("--");
  argv.insert(argv.end(), program.begin(), program.end());
  argv.insert(argv.end(), {"--root", programs.state_directory});
}

task::Task<std::string> read_to_end(UniqueFd pipe) {
  task::AsyncFd reader(std::move(pipe));
  std::string message;
  char buffer[4096];
  while (message.size() < kSyncMessageBytesMax) {
    const std::size_t bytes = co_await reader.read_some(buffer);
    if (bytes == 0) break;
    message.append(buffer, bytes);
  }
  co_return message;
}

// Docker's clients know what went wrong by Go's words for it, and take their own exit status from them. runc speaks Go;
// crun gives libc's words, and EPERM for what is no regular file.
std::string in_gos_words(std::string reason) {
  constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"open executable: Operation not permitted", "open executable: permission denied"},
      {"No such file or directory", "no such file or directory"},
      {"Permission denied", "permission denied"},
      {"Is a directory", "is a directory"},
      {"Not a directory", "not a directory"},
  };
  for (const auto& [libc, go] : kWords) {
    if (const std::size_t at = reason.find(libc); at != std::string::npos) reason.replace(at, libc.size(), go);
  }
  while (!reason.empty() && (reason.back() == '\n' || reason.back() == ' ')) reason.pop_back();
  return reason;
}

int read_pid_file(const std::string& path) {
  const std::string text = read_file(path, kSmallFileBytesMax);
  int pid = 0;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  if (pid <= 0) throw Error(ErrorClass::kInternal, path + ": no pid in it");
  return pid;
}

// Empty where it cannot be read.
std::string read_small_file(const std::string& path) {
  try {
    return read_file(path, kSmallFileBytesMax);
  } catch (const Error&) {
    return "";
  }
}

task::Task<task::CommandResult> run_runtime(const RuntimePrograms& programs, std::vector<std::string> arguments,
                                            std::string input = "") {
  arguments.insert(arguments.begin(), {programs.runtime, "--root", programs.state_directory});
  task::CommandOptions options;
  options.env = program_environment();
  options.standard_input = std::move(input);
  co_return co_await task::run_command(std::move(arguments), std::move(options));
}

task::Task<void> require_success(task::Task<task::CommandResult> command, std::string what) {
  const task::CommandResult result = co_await std::move(command);
  if (!result.exit.success()) {
    throw Error(ErrorClass::kInternal, what + ": " + in_gos_words(result.standard_error));
  }
}

}  // namespace

RuntimePrograms find_runtime_programs(const std::string& wanted, std::string state_directory) {
  RuntimePrograms programs;
  programs.runtime = wanted.empty() ? find_program("crun") : find_program(wanted);
  if (programs.runtime.empty() && wanted.empty()) programs.runtime = find_program("runc");
  if (programs.runtime.empty()) {
    throw Error(ErrorClass::kFailedPrecondition,
                wanted.empty() ? "neither crun nor runc is installed" : "runtime " + wanted + " is not installed");
  }
  programs.shim = own_directory() + "/quoll-runtime";
  programs.monitor = own_directory() + "/quoll-monitor";
  for (const std::string& own : {programs.shim, programs.monitor}) {
    if (::access(own.c_str(), X_OK) == 0) continue;
    throw Error(ErrorClass::kFailedPrecondition, own + " is missing: it belongs beside the daemon");
  }
  programs.state_directory = std::move(state_directory);
  programs.is_crun = std::filesystem::canonical(programs.runtime).filename() == "crun";
  return programs;
}

MonitorWord parse_monitor_word(std::string_view line) {
  MonitorWord word;
  const auto number_behind = [line](std::string_view name, int& into) {
    if (!line.starts_with(name)) return false;
    return std::from_chars(line.data() + name.size(), line.data() + line.size(), into).ec == std::errc();
  };
  if (number_behind("pid ", word.pid) || number_behind("exit ", word.exit_code)) return word;
  int code = 0;
  const bool told = number_behind("error ", code);
  const std::size_t text = told ? line.find(' ', 6) : std::string_view::npos;
  word.error = text == std::string_view::npos ? "the monitor ended without a word"
                                              : in_gos_words(std::string(line.substr(text + 1)));
  return word;
}

int start_failure_code(const std::string& message) {
  const auto says = [&message](std::string_view words) { return message.find(words) != std::string::npos; };
  if ((says("executable file") && says("not found")) || says("no such file or directory")) return 127;
  if (says("permission denied") || says("is a directory")) return 126;
  return 128;
}

task::Task<MonitorProcesses> create_with_monitor(const RuntimePrograms& programs, const MonitoredContainer& container) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error(errno, "pipe");
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);

  task::ProcessOptions options;
  options.argv = monitor_arguments(programs, "create", container.id, container.bundle, container.streams);
  if (!container.log_path.empty()) options.argv.insert(options.argv.end(), {"--log", container.log_path});
  add_runtime(options.argv, programs, {programs.shim, "--quoll-runtime=" + programs.runtime});
  options.env = program_environment();
  options.inherited_fds = {{writing.get(), monitor::kStatusFd}};
  task::Process launcher = task::Process::start(options);
  writing.reset();

  const MonitorWord word = parse_monitor_word(co_await read_to_end(std::move(reading)));
  if (word.pid <= 0) {
    throw Error(
        ErrorClass::kInvalidArgument,
        "failed to create task for container: failed to create shim task: OCI runtime create failed: " + word.error);
  }
  MonitorProcesses processes;
  processes.init_pid = word.pid;
  // The launcher has forked the monitor; when it has ended, the pid file is written.
  co_await launcher.wait();
  processes.monitor_pid = read_pid_file(container.bundle + "/monitor.pid");
  processes.monitor_start_time = process_start_time(processes.monitor_pid);
  co_return processes;
}

task::Task<void> start_exec_monitor(const RuntimePrograms& programs, const MonitoredExec& exec) {
  task::ProcessOptions options;
  options.argv = monitor_arguments(programs, "exec", exec.container_id, exec.bundle, exec.streams);
  options.argv.insert(options.argv.end(), {"--exec-id", exec.id});
  if (exec.client >= 0) options.argv.push_back("--client");
  add_runtime(options.argv, programs, {programs.runtime});
  options.env = program_environment();
  options.inherited_fds = {{exec.status, monitor::kStatusFd}};
  if (exec.client >= 0) options.inherited_fds.push_back({exec.client, monitor::kFirstClientFd});
  task::Process launcher = task::Process::start(options);
  co_await launcher.wait();
}

task::Task<void> runtime_start(const RuntimePrograms& programs, const std::string& id) {
  const task::CommandResult result = co_await run_runtime(programs, {"start", id});
  if (result.exit.success()) co_return;
  throw Error(ErrorClass::kInvalidArgument,
              "failed to start container: OCI runtime start failed: " + in_gos_words(result.standard_error));
}

task::Task<void> runtime_delete(const RuntimePrograms& programs, const std::string& id) {
  const task::CommandResult result = co_await run_runtime(programs, {"delete", "--force", id});
  if (!result.exit.success()) spdlog::debug("container {}: runtime delete: {}", id, result.standard_error);
}

task::Task<std::optional<std::string>> runtime_status(const RuntimePrograms& programs, const std::string& id) {
  const task::CommandResult result = co_await run_runtime(programs, {"state", id});
  if (!result.exit.success()) co_return std::nullopt;
  const auto json = nlohmann::json::parse(result.standard_output, nullptr, false);
  if (!json.is_object()) co_return std::nullopt;
  co_return json.value("status", "");
}

task::Task<void> runtime_pause(const RuntimePrograms& programs, const std::string& id) {
  co_await require_success(run_runtime(programs, {"pause", id}), "cannot pause container " + id);
}

task::Task<void> runtime_resume(const RuntimePrograms& programs, const std::string& id) {
  co_await require_success(run_runtime(programs, {"resume", id}), "cannot resume container " + id);
}

task::Task<void> runtime_update(const RuntimePrograms& programs, const std::string& id, std::string resources) {
  co_await require_success(run_runtime(programs, {"update", "--resources", "/dev/stdin", id}, std::move(resources)),
                           "cannot update container " + id);
}

task::Task<ExecOutput> runtime_exec(const RuntimePrograms& programs, const std::string& id, const std::string& files,
                                    const std::string& process, std::chrono::nanoseconds time_limit,
                                    std::size_t output_bytes_max) {
  co_await task::blocking([&] {
    ::unlink((files + ".pid").c_str());
    const UniqueFd file = open_file(files + ".json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    write_all(file.get(), process, files + ".json");
  });
  // The runtime's end is not that of the process it has started: whoever leaves here early ends that one, too.
  struct Killer {
    // 0: it has not come so far.
    int pid() const {
      try {
        return read_pid_file(pid_file);
      } catch (const Error&) {
        return 0;
      }
    }
    ~Killer() {
      const int pid = armed ? this->pid() : 0;
      if (pid == 0) return;
      const std::string cgroup = read_small_file("/proc/" + std::to_string(pid) + "/cgroup");
      if (cgroup.find(id) != std::string::npos) ::kill(pid, SIGKILL);
    }
    const std::string& id;
    const std::string pid_file;
    bool armed = true;
  } killer{id, files + ".pid"};
  std::vector<std::string> argv{programs.runtime, "--root",     programs.state_directory, "exec", "--process",
                                files + ".json",  "--pid-file", files + ".pid",           id};
  task::CommandOptions options;
  options.env = program_environment();
  options.output_bytes_max = output_bytes_max;
  options.time_limit = time_limit;
  // Killed before it has said which process it has started, it would leave that one to run on.
  options.killable = [&killer] { return killer.pid() > 0; };
  const task::CommandResult result = co_await task::run_command(std::move(argv), std::move(options));
  killer.armed = false;
  const int code = result.exit.signal != 0 ? 128 + result.exit.signal : result.exit.code;
  co_return ExecOutput{code, result.standard_output + result.standard_error};
}

void request_of_monitor(const std::string& bundle, std::string_view request) {
  const UniqueFd control(::open((bundle + "/ctl").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (!control) return;
  if (::write(control.get(), request.data(), request.size()) < 0) {
    spdlog::warn("{}: the monitor takes no request: {}", bundle, std::strerror(errno));
  }
}

std::string resize_request(unsigned rows, unsigned columns) {
  return "resize " + std::to_string(rows) + " " + std::to_string(columns) + "\n";
}

UniqueFd connect_to_monitor(const std::string& bundle, std::uint8_t attach_flags) {
  const std::string name = bundle + "/attach";
  // By way of a descriptor, since a socket's name is at most 107 bytes long.
  const UniqueFd directory(::open(bundle.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) throw system_error(errno, "open " + bundle);
  const std::string path = "/proc/self/fd/" + std::to_string(directory.get()) + "/attach";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw system_error(errno, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw system_error(errno, "connect to " + name);
  }
  greet_monitor(socket.get(), attach_flags);
  return socket;
}

void greet_monitor(int socket, std::uint8_t attach_flags) {
  // Nothing is in the socket yet, so it takes this byte.
  if (::send(socket, &attach_flags, 1, MSG_NOSIGNAL) != 1) throw system_error(errno, "attach to the monitor");
}

std::optional<ExitStatus> read_exit_status(const std::string& bundle, const std::string& id) {
  const std::string path = bundle + "/exit/" + id;
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  const std::string text = read_file(path, kSmallFileBytesMax);
  ExitStatus exit;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), exit.code);
  if (parsed.ec != std::errc()) return std::nullopt;
  exit.finished_at_ns = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec;
  return exit;
}

std::uint64_t process_start_time(int pid) {
  const UniqueFd file(::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return 0;
  char text[1024];
  const ssize_t bytes = ::read(file.get(), text, sizeof text);
  if (bytes <= 0) return 0;
  // The second field is the program's name in parentheses, and may hold anything: count from the last one.
  std::string_view rest(text, static_cast<std::size_t>(bytes));
  rest.remove_prefix(std::min(rest.rfind(')') + 1, rest.size()));
  for (int field = 2; field < 22; ++field) rest.remove_prefix(std::min(rest.find(' ', 1), rest.size()));
  std::uint64_t ticks = 0;
  if (!rest.empty()) std::from_chars(rest.data() + 1, rest.data() + rest.size(), ticks);
  return ticks;
}

UniqueFd open_process(int pid, std::uint64_t start_time) {
  if (pid <= 0) return UniqueFd();
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (process && start_time != 0 && process_start_time(pid) != start_time) process.reset();
  return process;
}

}  // namespace quoll::mgr
