#include "mgr/runtime/monitor.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include "mgr/image/durable_file.hpp"
#include "mgr/runtime/host_process.hpp"
#include "mgr/runtime/runtime_words.hpp"
#include "monitor/attach_protocol.hpp"
#include "task/error.hpp"
#include "task/fd.hpp"
#include "task/process.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kSyncMessageBytesMax = 64 * 1024;
constexpr std::size_t kExitFileBytesMax = 64 * 1024;

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

}  // namespace

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
  const std::string pid_file = container.bundle + "/monitor.pid";
  processes.monitor_pid = read_pid_file(pid_file);
  if (processes.monitor_pid == 0) throw Error(ErrorClass::kInternal, pid_file + ": no pid in it");
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
  const std::string text = read_file(path, kExitFileBytesMax);
  ExitStatus exit;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), exit.code);
  if (parsed.ec != std::errc()) return std::nullopt;
  exit.finished_at_ns = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec;
  return exit;
}

}  // namespace quoll::mgr
