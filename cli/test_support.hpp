// For this folder's tests: a daemon of canned answers in the same worker, and a context whose streams can be read.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cli/program.hpp"
#include "http/server.hpp"
#include "task/channel.hpp"
#include "task/testing.hpp"

namespace quoll::cli {

// What a descriptor to an anonymous file has been given.
class Capture {
 public:
  explicit Capture(const char* name) : file_(::memfd_create(name, MFD_CLOEXEC)) {}
  int descriptor() const { return file_.get(); }
  std::string text() const {
    std::string bytes(static_cast<std::size_t>(::lseek(file_.get(), 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(file_.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    return bytes;
  }

 private:
  UniqueFd file_;
};

// Signals that the test sends.
class ScriptedSignals final : public SignalSource {
 public:
  ScriptedSignals() : ScriptedSignals(task::make_channel<int>(8)) {}
  task::Task<int> next() override {
    const std::optional<int> signal = co_await receiver_.receive();
    co_return signal.value();
  }
  task::Task<void> send(int signal) { co_await sender_.send(signal); }

 private:
  explicit ScriptedSignals(std::pair<task::Sender<int>, task::Receiver<int>> ends)
      : sender_(std::move(ends.first)), receiver_(std::move(ends.second)) {}
  task::Sender<int> sender_;
  task::Receiver<int> receiver_;
};

struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string error;
};

// A server on a UNIX socket of its own, and quoll beside it on the same worker. Every request is noted.
class FakeDaemon {
 public:
  FakeDaemon() {
    char directory[] = "/tmp/quoll-cli-test-XXXXXX";
    if (::mkdtemp(directory) != nullptr) directory_ = directory;
    server_.emplace(std::vector<task::Worker*>{&test_.worker()}, router_);
  }
  ~FakeDaemon() {
    stop();
    std::filesystem::remove_all(directory_);
  }
  // Ends all handlers: what they use must outlive this.
  void stop() {
    if (server_) test_.run(server_->stop(std::chrono::seconds(0)));
    server_.reset();
  }
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  void route(std::string method, std::string pattern, http::Handler handler) {
    router_.add(std::move(method), std::move(pattern),
                [this, handler = std::move(handler)](http::Request& request, http::Response& response) {
                  requests.push_back(std::string(request.method()) + " " + std::string(request.target()));
                  return handler(request, response);
                });
  }
  void answer(std::string method, std::string pattern, int status, std::string body,
              std::string content_type = "application/json") {
    route(std::move(method), std::move(pattern),
          [status, body, content_type](http::Request&, http::Response& response) {
            return send(response, status, body, content_type);
          });
  }

  std::string host() const { return "unix://" + directory_ + "/quoll.sock"; }
  const std::string& directory() const { return directory_; }
  task::TestRuntime& test() { return test_; }

  Outcome run(const Command& command) {
    if (!listening_) server_->listen_unix(directory_ + "/quoll.sock");
    listening_ = true;
    return run_without_server(command);
  }
  Outcome run_without_server(const Command& command) {
    Capture out("out");
    Capture error("error");
    const int exit_code = test_.run(run_captured(command, out.descriptor(), error.descriptor()));
    return {exit_code, out.text(), error.text()};
  }
  // Into a descriptor of the test's instead of a file.
  int run_into(const Command& command, int out) {
    if (!listening_) server_->listen_unix(directory_ + "/quoll.sock");
    listening_ = true;
    Capture error("error");
    return test_.run(run_captured(command, out, error.descriptor()));
  }

  std::vector<std::string> requests;
  ScriptedSignals signals;

 private:
  static task::Task<void> send(http::Response& response, int status, std::string body, std::string content_type) {
    if (status == 204 || status == 304) co_return co_await response.send_empty(status);
    response.set_status(status);
    co_await response.send(body, content_type);
  }
  task::Task<int> run_captured(const Command& command, int out_descriptor, int error_descriptor) {
    Output out(out_descriptor);
    Output error(error_descriptor);
    Context context{host(), host(), out, error, signals};
    co_return co_await run_program(context, command);
  }

  std::string directory_;
  task::TestRuntime test_;
  http::Router router_;
  std::optional<http::Server> server_;
  bool listening_ = false;
};

// A frame of Docker's multiplexed streams.
inline std::string frame(char stream, const std::string& payload) {
  std::string bytes(8, '\0');
  bytes[0] = stream;
  for (int place = 0; place < 4; ++place) {
    bytes[static_cast<std::size_t>(4 + place)] = static_cast<char>(payload.size() >> (24 - 8 * place) & 0xff);
  }
  return bytes + payload;
}

inline constexpr const char* kMultiplexed = "application/vnd.docker.multiplexed-stream";

}  // namespace quoll::cli
