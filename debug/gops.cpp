#include "debug/gops.hpp"

#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "debug/gops_commands.hpp"
#include "http/listen.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/fd.hpp"
#include "task/timer.hpp"

namespace quoll::debug {
namespace {

namespace fs = std::filesystem;

// How long to wait where the process is out of descriptors or memory.
constexpr std::chrono::milliseconds kAcceptBackOff{50};

fs::path environment_path(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? fs::path(value) : fs::path();
}

fs::path home_directory() {
  const passwd* const user = ::getpwuid(::geteuid());
  return user != nullptr && user->pw_dir != nullptr ? fs::path(user->pw_dir) : environment_path("HOME");
}

void write_port_file(const fs::path& file, std::uint16_t port) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  std::ofstream out(file, std::ios::trunc);
  out << port;
  if (!out.flush()) throw system_error(errno, "write " + file.string());
}

task::Task<void> write(task::AsyncFd& connection, std::string_view text) { co_await connection.write_all(text); }

// What a client asked for has failed: the connection ends, which is all that the protocol can say.
task::Task<bool> answer(task::Runtime& runtime, GopsCommand command, task::AsyncFd& connection) {
  try {
    co_await answer_gops(runtime, command, [&connection](std::string_view text) { return write(connection, text); });
  } catch (const Error&) {
    co_return false;
  }
  co_return true;
}

task::Task<bool> until_gone(task::AsyncFd& connection) {
  char ignored[64];
  while (co_await connection.read_some(ignored) > 0) {
  }
  co_return false;
}

}  // namespace

fs::path gops_directory() {
  if (fs::path directory = environment_path("GOPS_CONFIG_DIR"); !directory.empty()) return directory;
  if (const fs::path config = environment_path("XDG_CONFIG_HOME"); !config.empty()) return config / "gops";
  const fs::path home = home_directory();
  if (home.empty()) throw Error(ErrorClass::kNotFound, "gops: no home directory for the port file");
  return home / ".config" / "gops";
}

GopsAgent::GopsAgent(task::Runtime& runtime, task::Worker& worker, const fs::path& directory)
    : runtime_(runtime),
      port_file_(directory / std::to_string(::getpid())),
      clients_("gops.clients", task::Scope::Kind::kRoot),
      accepting_("gops.accept", task::Scope::Kind::kRoot) {
  UniqueFd listener = http::open_tcp_listener("127.0.0.1", 0);
  port_ = http::bound_port(listener.get());
  write_port_file(port_file_, port_);
  accepting_.spawn_on(worker, "gops.accept", accept_loop(std::move(listener)));
}

GopsAgent::~GopsAgent() = default;

task::Task<void> GopsAgent::stop() {
  std::error_code error;
  fs::remove(port_file_, error);
  accepting_.cancel(task::CancelReason::kShutdown);
  co_await accepting_.join();
  clients_.cancel(task::CancelReason::kShutdown);
  co_await clients_.join();
}

task::Task<void> GopsAgent::accept_loop(UniqueFd fd) {
  task::AsyncFd listener(std::move(fd));
  while (true) {
    UniqueFd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection) {
      if (clients_.size() < kClientsMax) clients_.spawn("gops.client", serve_client(runtime_, std::move(connection)));
    } else if (errno == EAGAIN) {
      co_await listener.readable();
    } else {
      co_await task::sleep_for(kAcceptBackOff);
    }
  }
}

task::Task<void> GopsAgent::serve_client(task::Runtime& runtime, UniqueFd fd) {
  task::AsyncFd connection(std::move(fd));
  try {
    char command = 0;
    if (co_await task::with_deadline(kCommandTimeMax, connection.read_some({&command, 1})) == 0) co_return;
    std::vector<task::Task<bool>> race;
    race.push_back(answer(runtime, static_cast<GopsCommand>(command), connection));
    race.push_back(until_gone(connection));
    co_await task::first_of(std::move(race));
  } catch (const Error&) {
    // A client that says nothing, or resets the connection, is nobody's concern.
  }
}

}  // namespace quoll::debug
