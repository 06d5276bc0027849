// quoll-monitor: stays with one container, or with one exec, from its creation to its end. It holds the process's
// standard streams, so that the daemon may be killed: writes the log, serves attached clients, and keeps the exit code.
//
//     quoll-monitor create --id ID --bundle B [--log FILE] [--terminal] [--stdin] -- RUNTIME [OPTION...]
//     quoll-monitor exec --id ID --exec-id E --bundle B [--terminal] [--stdin] [--client] -- RUNTIME [OPTION...]
//
// It goes into the background at once; the program that was called ends with status 0. Descriptor 3 tells the rest, a
// line each:
//
//     pid N           the process is there; a container's waits for the runtime's `start`
//     error N TEXT    it is not: the runtime's exit code and its words, to the end
//     exit N          only of an exec: it has ended; 128 + N for signal N
//
// For a container it has these files in the bundle, and for an exec none that outlives the call of the runtime:
//
//     monitor.pid, init.pid
//     attach          a socket: attach_protocol.hpp
//     ctl             a FIFO of requests: "resize ROWS COLUMNS\n", "reopen\n" (the log, after a rotation)
//     exit/ID         the exit code
//     oom             there once the kernel has killed a process of the container for want of memory
//
// An exec takes the same requests from descriptor 3, which is a socket then, and its one client is descriptor 4.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "monitor/attach_protocol.hpp"
#include "monitor/memory_kills.hpp"
#include "monitor/options.hpp"
#include "monitor/relay.hpp"
#include "monitor/runtime_call.hpp"

namespace {

using namespace quoll::monitor;

constexpr std::int64_t kOutputAfterEndMs = 2000;  // for what the process has written and others have not read
constexpr int kFailed = 125;
constexpr int kWaitingClientsMax = 1024;

void say(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(kStatusFd, text.data() + done, text.size() - done);
    if (count <= 0 && errno != EINTR) return;  // nobody listens any more
    if (count > 0) done += static_cast<std::size_t>(count);
  }
}

[[noreturn]] void fail(int code, const std::string& text) {
  say("error " + std::to_string(code) + " " + text + "\n");
  ::_exit(0);
}

// Whole, or not there at all.
bool write_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  const bool whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  return ::close(fd) == 0 && whole && ::rename(fresh.c_str(), path.c_str()) == 0;
}

int listen_for_clients() {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{AF_UNIX, "attach"};
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, kWaitingClientsMax) != 0) {
    fail(kFailed, std::string("attach socket: ") + std::strerror(errno));
  }
  return fd;
}

// Opened both ways, so that it never ends for want of a writer.
int open_requests() {
  if (::mkfifo("ctl", 0600) != 0 && errno != EEXIST) fail(kFailed, std::string("ctl: ") + std::strerror(errno));
  return ::open("ctl", O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

// Requests come in lines.
class Requests {
 public:
  explicit Requests(int fd) : fd_(fd) {}
  int fd() const { return fd_; }

  void receive(Relay& relay, LogFile& log) {
    char buffer[512];
    const ssize_t count = ::read(fd_, buffer, sizeof buffer);
    if (count == 0) fd_ = -1;  // an exec whose daemon has ended
    if (count <= 0) return;
    text_.append(buffer, static_cast<std::size_t>(count));
    for (std::size_t end; (end = text_.find('\n')) != std::string::npos; text_.erase(0, end + 1)) {
      unsigned rows = 0;
      unsigned columns = 0;
      const std::string line = text_.substr(0, end);
      if (std::sscanf(line.c_str(), "resize %u %u", &rows, &columns) == 2) relay.resize(rows, columns);
      if (line == "reopen") log.reopen();
    }
    if (text_.size() > sizeof buffer) text_.clear();
  }

 private:
  int fd_;
  std::string text_;
};

// From the process's beginning to the end of its output.
class Watch {
 public:
  Watch(const Options& options, const Made& made, Children& children, Relay& relay, LogFile& log)
      : options_(options),
        made_(made),
        children_(children),
        relay_(relay),
        log_(log),
        memory_kills_file_(options.exec ? "" : memory_kills_file(made.pid)) {}

  void run(int listening, Requests requests) {
    note_end();
    while (!relay_.finished() || !ended()) {
      std::vector<pollfd>& list = list_;
      list.assign({{children_.signal_fd(), POLLIN, 0}, {requests.fd(), POLLIN, 0}, {listening, POLLIN, 0}});
      relay_.collect(list);
      if (::poll(list.data(), list.size(), timeout_ms()) < 0) continue;
      if (list[0].revents != 0) note_end();
      if (list[1].revents != 0) requests.receive(relay_, log_);
      // Before their output: who is there is given all that comes from now on.
      if (list[2].revents != 0) accept_clients(listening);
      relay_.handle(list);
      if (ended() && monotonic_ms() >= end_ms_) break;
    }
    relay_.drain_to_log();
  }

  int code() const { return children_.exit_code(made_.pid); }

  // Others of an exec may have its streams still: somebody has to read them, for as long as they do.
  void linger() {
    while (!relay_.finished()) {
      list_.clear();
      relay_.collect(list_);
      if (::poll(list_.data(), list_.size(), relay_.timeout_ms()) >= 0) relay_.handle(list_);
      children_.reap();
    }
  }

 private:
  bool ended() const { return end_ms_ != 0; }

  void note_end() {
    children_.reap();
    if (ended() || code() < 0) return;
    end_ms_ = monotonic_ms() + kOutputAfterEndMs;
    relay_.process_ended();
    if (options_.exec) return;
    if (memory_kills(memory_kills_file_) > 0) write_file("oom", "");
    write_file(options_.exit_path(), std::to_string(code()));
  }

  int timeout_ms() const {
    if (ended()) return static_cast<int>(std::max<std::int64_t>(0, end_ms_ - monotonic_ms()));
    return relay_.timeout_ms();
  }

  void accept_clients(int listening) {
    for (int fd; (fd = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
      relay_.add_client(fd);
    }
  }

  const Options& options_;
  const Made& made_;
  Children& children_;
  Relay& relay_;
  LogFile& log_;
  const std::string memory_kills_file_;
  std::int64_t end_ms_ = 0;  // when the rest of the output is given up
  std::vector<pollfd> list_;
};

void monitor(const Options& options, LogFile& log) {
  Children children;
  const int listening = options.exec ? -1 : listen_for_clients();
  Requests requests(options.exec ? kStatusFd : open_requests());
  const Made made = make_process(options, children);
  if (made.pid == 0) {
    fail(made.code, made.error.empty() ? "the runtime has made no process, and gave no reason" : made.error);
  }
  // Here and not on the stack: its buffers take memory when they are used for the first time.
  static Relay relay(made.stdio, log);
  if (options.first_client) relay.add_client(kFirstClientFd);
  say("pid " + std::to_string(made.pid) + "\n");
  if (!options.exec) ::close(kStatusFd);

  Watch watch(options, made, children, relay, log);
  watch.run(listening, std::move(requests));
  if (!options.exec) return;
  say("exit " + std::to_string(watch.code()) + "\n");
  ::close(kStatusFd);
  watch.linger();
}

}  // namespace

int main(int argc, char** argv) {
  for (const int signal : {SIGPIPE, SIGHUP, SIGINT, SIGTERM}) ::signal(signal, SIG_IGN);
  ::fcntl(kStatusFd, F_SETFD, FD_CLOEXEC);
  std::string why;
  const auto options = parse_options(argc, argv, why);
  if (!options) fail(kFailed, why);
  if (options->first_client) ::fcntl(kFirstClientFd, F_SETFD, FD_CLOEXEC);
  if (::chdir(options->bundle.c_str()) != 0) fail(kFailed, options->bundle + ": " + std::strerror(errno));
  const pid_t background = ::fork();
  if (background < 0) fail(kFailed, std::string("fork: ") + std::strerror(errno));
  if (background > 0) return options->exec || write_file("monitor.pid", std::to_string(background)) ? 0 : kFailed;
  ::setsid();
  static LogFile log;
  if (!log.open(options->log_path)) fail(kFailed, options->log_path + ": " + std::strerror(errno));
  monitor(*options, log);
  ::_exit(0);
}
