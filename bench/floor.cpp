// The floor under a container's life: the monitor and the runtime, called with the commands that the daemon uses, and
// nothing else: no daemon, no record, no image, no overlay.
//
//     floor --monitor CONMON --runtime RUNTIME --config FILE --work DIRECTORY --workers W --count N [--hide-unified 1]
//
// FILE is a config.json with @ID@ where the container's id belongs. Prints {"p50_ms", "p99_ms", "per_second"}; N is for
// each worker. --hide-unified takes the cgroup2 mount of a hybrid host away from this process and its children, since
// crun refuses such a host.
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "bench/client.hpp"

namespace {

constexpr int kSyncPipe = 3;

struct Programs {
  std::string monitor;
  std::string runtime;
  std::string state;
  std::string config;
  std::string work;
};

int spawn(const std::vector<std::string>& words, int sync_pipe = -1) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  static char sync[] = "_OCI_SYNCPIPE=3";
  char* environment[] = {path, sync_pipe >= 0 ? sync : nullptr, nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd < 3; ++fd) {
    ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
  }
  if (sync_pipe >= 0) ::posix_spawn_file_actions_adddup2(&actions, sync_pipe, kSyncPipe);
  int pid = 0;
  const int error = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environment);
  if (error != 0) bench::fail("start " + words[0] + ": " + std::strerror(error));
  ::posix_spawn_file_actions_destroy(&actions);
  return pid;
}

void wait_for(int pid, const std::string& what) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) bench::fail(what + " ended with status " + std::to_string(status));
}

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// Starts the monitor, which has the runtime create the container.
void create(const Programs& programs, const std::string& id, const std::string& bundle) {
  int ends[2];
  // Above the number that the child gives it: adddup2 of a descriptor onto itself would keep it close-on-exec.
  if (::pipe2(ends, O_CLOEXEC) != 0) bench::fail_errno("pipe");
  const int writing = ::fcntl(ends[1], F_DUPFD_CLOEXEC, 64);
  ::close(ends[1]);
  const int launcher = spawn({programs.monitor,
                              "--api-version",
                              "1",
                              "--cid",
                              id,
                              "--cuuid",
                              id,
                              "--name",
                              id,
                              "--bundle",
                              bundle,
                              "--container-pidfile",
                              bundle + "/init.pid",
                              "--conmon-pidfile",
                              bundle + "/monitor.pid",
                              "--exit-dir",
                              bundle + "/exit",
                              "--full-attach",
                              "--no-sync-log",
                              "--log-level",
                              "error",
                              "--runtime",
                              programs.runtime,
                              "--runtime-arg",
                              "--root",
                              "--runtime-arg",
                              programs.state,
                              "--log-path",
                              "k8s-file:" + bundle + "/log"},
                             writing);
  ::close(writing);
  std::string message;
  char buffer[4096];
  for (ssize_t count; (count = ::read(ends[0], buffer, sizeof(buffer))) > 0;) {
    message.append(buffer, static_cast<std::size_t>(count));
    if (message.find('\n') != std::string::npos) break;
  }
  ::close(ends[0]);
  wait_for(launcher, "the monitor");
  if (message.find("\"data\":") == std::string::npos || message.find(": -") != std::string::npos) {
    bench::fail("the monitor said: " + message);
  }
}

void wait_for_monitor(const std::string& bundle) {
  const int pid = static_cast<int>(std::strtol(text_of(bundle + "/monitor.pid").c_str(), nullptr, 10));
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (process < 0) return;  // it has ended already
  fd_set set;
  FD_ZERO(&set);
  FD_SET(process, &set);
  ::select(process + 1, &set, nullptr, nullptr, nullptr);
  ::close(process);
}

double live_and_die(const Programs& programs, const std::string& id) {
  const std::int64_t start = bench::now_ns();
  const std::string bundle = programs.work + "/" + id;
  std::filesystem::create_directories(bundle + "/exit");
  std::string config = programs.config;
  replace_all(config, "@ID@", id);
  std::ofstream(bundle + "/config.json") << config;
  create(programs, id, bundle);
  wait_for(spawn({programs.runtime, "--root", programs.state, "start", id}), "start");
  wait_for_monitor(bundle);
  wait_for(spawn({programs.runtime, "--root", programs.state, "delete", "--force", id}), "delete");
  std::filesystem::remove_all(bundle);
  return static_cast<double>(bench::now_ns() - start) / 1e6;
}

void hide_unified() {
  if (::unshare(CLONE_NEWNS) != 0) bench::fail_errno("unshare");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) bench::fail_errno("make mounts slaves");
  if (::umount2("/sys/fs/cgroup/unified", MNT_DETACH) != 0) bench::fail_errno("umount unified");
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments(argc, argv);
  // Before any thread: a mount namespace is each thread's own.
  if (arguments.number("hide-unified", 0) != 0) hide_unified();
  const Programs programs{arguments.text("monitor"), arguments.text("runtime"), arguments.text("work") + "/runtime",
                          text_of(arguments.text("config")), arguments.text("work")};
  std::mutex mutex;
  std::vector<double> times_ms;
  std::vector<std::thread> workers;
  const std::int64_t start = bench::now_ns();
  for (long worker = 0; worker < arguments.number("workers", 1); ++worker) {
    workers.emplace_back([&, worker] {
      for (long i = 0; i < arguments.number("count", 10); ++i) {
        const std::string id =
            "floor-" + std::to_string(::getpid()) + "-" + std::to_string(worker) + "-" + std::to_string(i);
        const double ms = live_and_die(programs, id);
        const std::lock_guard lock(mutex);
        times_ms.push_back(ms);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  const double seconds = static_cast<double>(bench::now_ns() - start) / 1e9;
  const std::size_t count = times_ms.size();
  const bench::Percentiles spread = bench::percentiles(times_ms);
  std::printf("{\"p50_ms\": %.2f, \"p99_ms\": %.2f, \"per_second\": %.2f}\n", spread.p50, spread.p99,
              static_cast<double>(count) / seconds);
}
