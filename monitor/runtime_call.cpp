#include "monitor/runtime_call.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace quoll::monitor {
namespace {

constexpr int kCannotExecute = 126;
constexpr std::size_t kErrorBytesMax = 16 * 1024;

struct Pipe {
  int read = -1;
  int write = -1;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  return {ends[0], ends[1]};
}

void close_all(std::initializer_list<int> fds) {
  for (const int fd : fds) {
    if (fd >= 0) ::close(fd);
  }
}

void set_nonblocking(int fd) {
  if (fd >= 0) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

// The runtime sends a terminal's master through this socket. It is named relative to the working directory, which the
// runtime has in common with us, so that the length of the bundle's path does not matter.
int listen_for_console(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) return -1;
  std::memcpy(address.sun_path, name.c_str(), name.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::unlink(name.c_str());
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, 1) != 0) {
    close_all({fd});
    return -1;
  }
  return fd;
}

int receive_console(int listening) {
  const int connection = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
  if (connection < 0) return -1;
  char name[4096];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec vector{name, sizeof name};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  int master = -1;
  if (::recvmsg(connection, &message, MSG_CMSG_CLOEXEC) >= 0) {
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_type == SCM_RIGHTS) std::memcpy(&master, CMSG_DATA(header), sizeof master);
  }
  ::close(connection);
  return master;
}

std::vector<std::string> runtime_command(const Options& options) {
  std::vector<std::string> words = options.runtime;
  if (options.exec) {
    words.insert(words.end(), {"exec", "--detach", "--process", options.process_path()});
  } else {
    words.insert(words.end(), {"create", "--bundle", options.bundle});
  }
  words.insert(words.end(), {"--pid-file", options.pid_path()});
  if (options.terminal) words.insert(words.end(), {"--console-socket", options.console_path()});
  words.push_back(options.id);
  return words;
}

// What a child undoes of this process's own settings.
void restore_for_child() {
  for (const int signal : {SIGPIPE, SIGHUP, SIGINT, SIGTERM}) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

pid_t start(const std::vector<std::string>& words, int input, int output, int error) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  restore_for_child();
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(error, STDERR_FILENO);
  ::execv(argv[0], argv.data());
  std::fprintf(stderr, "%s: %s\n", argv[0], std::strerror(errno));
  ::_exit(kCannotExecute);
}

std::string read_all(int fd) {
  set_nonblocking(fd);
  std::string text;
  char buffer[4096];
  for (ssize_t count; text.size() < kErrorBytesMax && (count = ::read(fd, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

pid_t read_pid(const std::string& path) {
  char text[32] = {};
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  if (::read(fd, text, sizeof text - 1) < 0) text[0] = '\0';
  ::close(fd);
  return static_cast<pid_t>(std::strtol(text, nullptr, 10));
}

// Waits for the runtime's end, and takes the terminal that it sends meanwhile.
int wait_for_runtime(pid_t runtime, int console, int& master, Children& children) {
  while (children.exit_code(runtime) < 0) {
    pollfd list[] = {{children.signal_fd(), POLLIN, 0}, {master < 0 ? console : -1, POLLIN, 0}};
    if (::poll(list, 2, -1) < 0) continue;
    if (list[1].revents != 0) master = receive_console(console);
    if (list[0].revents != 0) children.reap();
  }
  return children.exit_code(runtime);
}

}  // namespace

Children::Children() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t mask;
  ::sigemptyset(&mask);
  ::sigaddset(&mask, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &mask, nullptr);
  signal_fd_ = ::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

void Children::reap() {
  signalfd_siginfo info;
  while (::read(signal_fd_, &info, sizeof info) > 0) continue;
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    ended_.push_back({pid, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)});
  }
  constexpr std::size_t kRememberedMax = 64;  // a container without a pid namespace of its own may leave us many
  if (ended_.size() > kRememberedMax) ended_.erase(ended_.begin(), ended_.end() - kRememberedMax / 2);
}

int Children::exit_code(pid_t pid) const {
  const auto found = std::find_if(ended_.begin(), ended_.end(), [pid](const Ended& ended) { return ended.pid == pid; });
  return found == ended_.end() ? -1 : found->code;
}

Made make_process(const Options& options, Children& children) {
  Made made;
  made.stdio.terminal = options.terminal;
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const Pipe input = options.open_stdin && !options.terminal ? make_pipe() : Pipe{};
  const Pipe output = options.terminal ? Pipe{} : make_pipe();
  const Pipe error = make_pipe();
  const int console = options.terminal ? listen_for_console(options.console_path()) : -1;

  const pid_t runtime = start(runtime_command(options), input.read >= 0 ? input.read : null,
                              output.write >= 0 ? output.write : null, error.write);
  close_all({input.read, output.write, error.write, null});
  int master = -1;
  made.code = runtime < 0 ? kCannotExecute : wait_for_runtime(runtime, console, master, children);
  if (options.terminal) {
    close_all({console});
    ::unlink(options.console_path().c_str());
  }
  if (made.code == 0) made.pid = read_pid(options.pid_path());
  if (made.pid <= 0 || (options.terminal && master < 0)) {
    made.pid = 0;
    made.error = read_all(error.read);
    return made;
  }
  made.stdio.input = options.terminal ? master : input.write;
  made.stdio.output = options.terminal ? master : output.read;
  made.stdio.error = error.read;
  // In a terminal nothing of the process is behind this pipe, only what the runtime has said.
  if (options.terminal) {
    ::close(error.read);
    made.stdio.error = -1;
  }
  for (const int fd : {made.stdio.input, made.stdio.output, made.stdio.error}) set_nonblocking(fd);
  return made;
}

}  // namespace quoll::monitor
