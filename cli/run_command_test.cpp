// `quoll run` against a daemon of canned answers: exit codes, signals, and that nothing stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/test_support.hpp"
#include "task/event.hpp"

namespace quoll::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

RunOptions busybox() {
  RunOptions options;
  options.image = "busybox";
  options.name = "bg";
  return options;
}

// A container that ends when the test says so.
struct Container {
  explicit Container(FakeDaemon& owner) : daemon(owner) {
    daemon.answer("POST", "/containers/create", 201, R"({"Id":"c1","Warnings":["no bridge"]})");
    daemon.answer("POST", "/containers/c1/start", 204, "");
    daemon.answer("DELETE", "/containers/c1", 204, "");
    daemon.route("POST", "/containers/c1/wait",
                 [this](http::Request&, http::Response& response) { return wait(response); });
    daemon.route("GET", "/containers/c1/logs",
                 [this](http::Request&, http::Response& response) { return logs(response); });
    daemon.route("POST", "/containers/c1/stop",
                 [this](http::Request&, http::Response& response) { return stop(response); });
    daemon.route("POST", "/containers/c1/kill",
                 [this](http::Request&, http::Response& response) { return kill(response); });
  }

  ~Container() { daemon.stop(); }
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  task::Task<void> wait(http::Response& response) {
    co_await response.start_stream("application/json");
    co_await ended.wait();
    const std::string answer = R"({"StatusCode":)" + std::to_string(exit_code) + "}";
    co_await response.write(answer);
  }
  task::Task<void> logs(http::Response& response) {
    co_await response.start_stream(kMultiplexed);
    const std::string lines = frame(1, "out\n") + frame(2, "err\n");
    co_await response.write(lines);
    for (int count = 0; count < signals_on_log; ++count) co_await daemon.signals.send(SIGINT);
    if (!ends_by_signal) ended.set();
    co_await ended.wait();
  }
  task::Task<void> stop(http::Response& response) {
    if (stop_hangs) {
      co_await daemon.signals.send(SIGINT);
      co_await ended.wait();
    }
    ended.set();
    co_await response.send_empty(204);
  }
  task::Task<void> kill(http::Response& response) {
    if (kill_hangs) {
      co_await daemon.signals.send(SIGINT);
      task::Event never;
      co_await never.wait();
    }
    exit_code = 137;
    ended.set();
    co_await response.send_empty(204);
  }

  FakeDaemon& daemon;
  task::Event ended;
  int exit_code = 3;
  int signals_on_log = 0;
  bool ends_by_signal = false;
  bool stop_hangs = false;
  bool kill_hangs = false;
};

TEST(run_command, detached_prints_the_id) {
  FakeDaemon daemon;
  Container container(daemon);
  RunOptions options = busybox();
  options.detach = true;
  const Outcome outcome = daemon.run(options);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "c1\n");
  EXPECT_EQ(outcome.error, "WARNING: no bridge\n");
  EXPECT_THAT(daemon.requests, ElementsAre("POST /containers/create?name=bg", "POST /containers/c1/start"));
}

TEST(run_command, foreground_shows_the_output_and_exits_with_the_containers_code) {
  FakeDaemon daemon;
  Container container(daemon);
  const Outcome outcome = daemon.run(busybox());
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_THAT(outcome.error, HasSubstr("err\n"));
  EXPECT_THAT(daemon.requests,
              ElementsAre("POST /containers/create?name=bg", "POST /containers/c1/wait?condition=next-exit",
                          "POST /containers/c1/start", "GET /containers/c1/logs?stdout=1&stderr=1&follow=1"));
}

TEST(run_command, rm_removes_it_at_the_end) {
  FakeDaemon daemon;
  Container container(daemon);
  RunOptions options = busybox();
  options.remove = true;
  EXPECT_EQ(daemon.run(options).exit_code, 3);
  EXPECT_EQ(daemon.requests.back(), "DELETE /containers/c1?force=1");
}

TEST(run_command, rm_removes_it_when_its_output_is_not_wanted_any_more) {
  FakeDaemon daemon;
  Container container(daemon);
  container.ends_by_signal = true;
  RunOptions options = busybox();
  options.remove = true;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::close(ends[0]);
  const UniqueFd writing(ends[1]);
  EXPECT_EQ(daemon.run_into(options, writing.get()), kExitOutputClosed);
  EXPECT_EQ(daemon.requests.back(), "DELETE /containers/c1?force=1");
}

TEST(run_command, an_image_that_is_not_there_is_125) {
  FakeDaemon daemon;
  daemon.answer("POST", "/containers/create", 404, R"({"message":"No such image: busybox:latest"})");
  const Outcome outcome = daemon.run(busybox());
  EXPECT_EQ(outcome.exit_code, 125);
  EXPECT_EQ(outcome.error, "quoll: No such image: busybox:latest\n");
}

TEST(run_command, a_daemon_that_is_not_there_is_125) {
  FakeDaemon daemon;
  EXPECT_EQ(daemon.run_without_server(busybox()).exit_code, 125);
}

TEST(run_command, a_program_that_is_not_there_is_127_and_rm_still_removes) {
  FakeDaemon daemon;
  daemon.answer("POST", "/containers/create", 201, R"({"Id":"c2","Warnings":[]})");
  daemon.answer("POST", "/containers/c2/wait", 200, "");
  daemon.answer("POST", "/containers/c2/start", 400, R"({"message":"executable file `x` not found in $PATH"})");
  daemon.answer("DELETE", "/containers/c2", 404, R"({"message":"No such container"})");
  RunOptions options = busybox();
  options.remove = true;
  const Outcome outcome = daemon.run(options);
  EXPECT_EQ(outcome.exit_code, 127);
  EXPECT_EQ(outcome.error, "quoll: executable file `x` not found in $PATH\n");
  EXPECT_EQ(daemon.requests.back(), "DELETE /containers/c2?force=1");
}

TEST(run_command, the_first_signal_stops_the_container_and_its_code_is_kept) {
  FakeDaemon daemon;
  Container container(daemon);
  container.signals_on_log = 1;
  container.ends_by_signal = true;
  EXPECT_EQ(daemon.run(busybox()).exit_code, 3);
  EXPECT_EQ(daemon.requests.back(), "POST /containers/c1/stop?signal=SIGINT");
}

TEST(run_command, the_second_signal_kills_it) {
  FakeDaemon daemon;
  Container container(daemon);
  container.signals_on_log = 1;
  container.ends_by_signal = true;
  container.stop_hangs = true;
  EXPECT_EQ(daemon.run(busybox()).exit_code, 137);
  EXPECT_EQ(daemon.requests.back(), "POST /containers/c1/kill");
}

TEST(run_command, the_third_signal_ends_quoll_alone) {
  FakeDaemon daemon;
  Container container(daemon);
  container.signals_on_log = 1;
  container.ends_by_signal = true;
  container.stop_hangs = true;
  container.kill_hangs = true;
  EXPECT_EQ(daemon.run(busybox()).exit_code, 130);
  EXPECT_THAT(daemon.requests, Not(Contains(HasSubstr("DELETE"))));
}

task::Task<void> interrupt_create(FakeDaemon* daemon) {
  co_await daemon->signals.send(SIGTERM);
  task::Event never;
  co_await never.wait();
}

TEST(run_command, a_signal_before_the_start_ends_it_at_once) {
  FakeDaemon daemon;
  daemon.route("POST", "/containers/create",
               [&daemon](http::Request&, http::Response&) { return interrupt_create(&daemon); });
  EXPECT_EQ(daemon.run(busybox()).exit_code, 143);
}

}  // namespace
}  // namespace quoll::cli
