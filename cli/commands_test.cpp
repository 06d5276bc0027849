// Every command against a daemon of canned answers: what it asks, what it prints, what it exits with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/test_support.hpp"
#include "task/event.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(commands, ps_prints_a_table) {
  FakeDaemon daemon;
  daemon.answer("GET", "/containers/json", 200,
                json::array({{{"Id", std::string(64, 'a')},
                              {"Names", {"/bg"}},
                              {"Image", "busybox"},
                              {"Command", "sh"},
                              {"Created", 0},
                              {"Status", "Up 3 seconds"},
                              {"Ports", json::array()}}})
                    .dump());
  const Outcome outcome = daemon.run(PsOptions{.all = true});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("CONTAINER ID   IMAGE     COMMAND   CREATED"));
  EXPECT_THAT(outcome.out, HasSubstr("\naaaaaaaaaaaa   busybox   \"sh\""));
  EXPECT_THAT(daemon.requests, ElementsAre("GET /containers/json?all=1"));
  EXPECT_EQ(daemon.run(PsOptions{.quiet = true}).out, "aaaaaaaaaaaa\n");
}

TEST(commands, the_daemons_message_is_the_error) {
  FakeDaemon daemon;
  daemon.answer("GET", "/containers/json", 500, R"({"message":"the disk is on fire"})");
  const Outcome outcome = daemon.run(PsOptions{});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.error, "quoll: the disk is on fire\n");
  EXPECT_EQ(outcome.out, "");
}

TEST(commands, an_error_without_json_is_shown_too) {
  FakeDaemon daemon;
  daemon.answer("GET", "/debug/goroutine", 400, "invalid value for \"state\"\n", "text/plain");
  daemon.answer("GET", "/info", 502, "");
  EXPECT_EQ(daemon.run(StackOptions{}).error, "quoll: invalid value for \"state\"\n");
  EXPECT_THAT(daemon.run(InfoOptions{}).error, HasSubstr("the daemon answered 502"));
}

TEST(commands, a_daemon_that_is_not_there_is_named_with_its_remedy) {
  FakeDaemon daemon;
  const Outcome outcome = daemon.run_without_server(StopOptions{.containers = {"a", "b"}});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.error, HasSubstr("cannot reach the daemon at " + daemon.host()));
  EXPECT_THAT(outcome.error, HasSubstr("quolld --host " + daemon.host()));
  EXPECT_EQ(std::count(outcome.error.begin(), outcome.error.end(), '\n'), 1) << "said once, not for each name";
}

TEST(commands, leaks_are_shown_and_said_by_the_exit_code) {
  FakeDaemon daemon;
  daemon.answer("GET", "/debug/leaks", 200, "leak (no sender): because\n", "text/plain");
  const Outcome outcome = daemon.run(LeaksOptions{.grace = "5s"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "leak (no sender): because\n");
  EXPECT_THAT(daemon.requests, ElementsAre("GET /debug/leaks?grace=5s"));
}

TEST(commands, no_leaks_is_a_line_and_status_0) {
  FakeDaemon daemon;
  daemon.answer("GET", "/debug/leaks", 200, "", "text/plain");
  EXPECT_EQ(daemon.run(LeaksOptions{}).exit_code, 0);
  EXPECT_THAT(daemon.run(LeaksOptions{}).out, HasSubstr("no leaks"));
}

TEST(commands, stats_come_from_the_metrics) {
  FakeDaemon daemon;
  daemon.answer("GET", "/metrics", 200,
                "quoll_tasks{state=\"IO wait\"} 2\nquoll_tasks{state=\"sleep\"} 5\nprocess_open_fds 17\n"
                "process_max_fds 1024\nprocess_resident_memory_bytes 12000000\n",
                "text/plain");
  const Outcome outcome = daemon.run(StatsOptions{});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("tasks             7\n  sleep           5\n  IO wait         2\n"));
  EXPECT_THAT(outcome.out, HasSubstr("17 of 1024"));
  EXPECT_THAT(outcome.out, HasSubstr("12MB"));
}

TEST(commands, logs_go_to_the_stream_that_they_came_from) {
  FakeDaemon daemon;
  daemon.answer("GET", "/containers/{id}/logs", 200, frame(1, "one\n") + frame(2, "oops\n") + frame(1, "two\n"),
                kMultiplexed);
  const Outcome outcome = daemon.run(LogsOptions{.follow = true, .tail = "5", .since = "17", .container = "a b"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "one\ntwo\n");
  EXPECT_EQ(outcome.error, "oops\n");
  EXPECT_THAT(daemon.requests, ElementsAre("GET /containers/a%20b/logs?stdout=1&stderr=1&follow=1&tail=5&since=17"));
}

TEST(commands, a_terminals_log_is_raw) {
  FakeDaemon daemon;
  daemon.answer("GET", "/containers/{id}/logs", 200, "\1not a frame\r\n", "application/vnd.docker.raw-stream");
  EXPECT_EQ(daemon.run(LogsOptions{.container = "a"}).out, "\1not a frame\r\n");
}

TEST(commands, a_log_that_breaks_off_is_an_error) {
  FakeDaemon daemon;
  daemon.answer("GET", "/containers/{id}/logs", 200, frame(1, "whole\n") + std::string("\1\0\0", 3), kMultiplexed);
  const Outcome outcome = daemon.run(LogsOptions{.container = "a"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "whole\n");
  EXPECT_THAT(outcome.error, HasSubstr("in the middle of a frame"));
}

TEST(commands, several_names_go_on_after_an_error) {
  FakeDaemon daemon;
  daemon.answer("POST", "/containers/a/stop", 304, "");
  daemon.answer("POST", "/containers/b/stop", 404, R"({"message":"No such container: b"})");
  daemon.answer("POST", "/containers/c/stop", 204, "");
  const Outcome outcome = daemon.run(StopOptions{.timeout_s = 0, .containers = {"a", "b", "c"}});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "a\nc\n");
  EXPECT_EQ(outcome.error, "quoll: No such container: b\n");
  EXPECT_EQ(daemon.requests.front(), "POST /containers/a/stop?t=0");
}

TEST(commands, kill_rm_and_wait_ask_for_what_was_said) {
  FakeDaemon daemon;
  daemon.answer("POST", "/containers/{id}/kill", 204, "");
  daemon.answer("DELETE", "/containers/{id}", 204, "");
  daemon.answer("POST", "/containers/{id}/wait", 200, R"({"StatusCode":3})");
  EXPECT_EQ(daemon.run(KillOptions{.signal = "HUP", .containers = {"a"}}).out, "a\n");
  EXPECT_EQ(daemon.run(RemoveOptions{.force = true, .containers = {"a"}}).out, "a\n");
  EXPECT_EQ(daemon.run(WaitOptions{.containers = {"a"}}).out, "3\n");
  EXPECT_THAT(daemon.requests, ElementsAre("POST /containers/a/kill?signal=HUP", "DELETE /containers/a?force=1",
                                           "POST /containers/a/wait"));
}

TEST(commands, images_and_rmi_keep_the_slashes_of_names) {
  FakeDaemon daemon;
  daemon.answer(
      "GET", "/images/json", 200,
      json::array({{{"Id", "sha256:" + std::string(64, 'b')}, {"RepoTags", {"a/b:1"}}, {"Created", 0}, {"Size", 10}}})
          .dump());
  daemon.answer("DELETE", "/images/{name:.*}", 200, R"([{"Untagged":"a/b:1"},{"Deleted":"sha256:bb"}])");
  EXPECT_THAT(daemon.run(ImagesOptions{}).out, HasSubstr("\na/b          1         bbbbbbbbbbbb"));
  EXPECT_EQ(daemon.run(ImagesOptions{.quiet = true}).out, "bbbbbbbbbbbb\n");
  EXPECT_EQ(daemon.run(RemoveImageOptions{.images = {"a/b:1"}}).out, "Untagged: a/b:1\nDeleted: sha256:bb\n");
  EXPECT_EQ(daemon.requests.back(), "DELETE /images/a/b%3A1");
}

task::Task<void> take_archive(std::string* into, http::Request& request, http::Response& response) {
  *into = co_await request.read_body_all(1 << 20);
  co_await response.send(R"({"stream":"Loaded image: x:1\n"}{"stream":"Loaded image: y:1\n"})", "application/json");
}

TEST(commands, load_sends_the_file_and_prints_what_was_loaded) {
  FakeDaemon daemon;
  std::string received;
  daemon.route("POST", "/images/load", [&received](http::Request& request, http::Response& response) {
    return take_archive(&received, request, response);
  });
  const std::string archive(300'000, 'q');
  std::ofstream(daemon.directory() + "/image.tar") << archive;
  const Outcome outcome = daemon.run(LoadOptions{daemon.directory() + "/image.tar"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(outcome.out, "Loaded image: x:1\nLoaded image: y:1\n");
  EXPECT_EQ(received, archive);
}

TEST(commands, a_load_that_fails_late_is_an_error) {
  FakeDaemon daemon;
  daemon.answer("POST", "/images/load", 200, R"({"stream":"Loaded image: x:1\n"}{"error":"unexpected EOF"})");
  std::ofstream(daemon.directory() + "/image.tar") << "x";
  const Outcome outcome = daemon.run(LoadOptions{daemon.directory() + "/image.tar"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.error, "quoll: unexpected EOF\n");
  EXPECT_THAT(daemon.run(LoadOptions{"/nonexistent/x.tar"}).error, HasSubstr("open /nonexistent/x.tar"));
}

TEST(commands, stack_prints_what_the_daemon_streams) {
  FakeDaemon daemon;
  daemon.answer("GET", "/debug/goroutine", 200, "goroutine 1 [running]:\nmain(...)\n", "text/plain");
  const Outcome outcome = daemon.run(StackOptions{{.match = "a b", .state = "IO wait", .min_wait = "2m"}});
  EXPECT_EQ(outcome.out, "goroutine 1 [running]:\nmain(...)\n");
  EXPECT_THAT(daemon.requests, ElementsAre("GET /debug/goroutine?match=a%20b&state=IO%20wait&min_wait=2m"));
}

task::Task<void> send_incomplete_dump(http::Response& response) {
  response.set_header("Trailer", "X-Quoll-Dump-Silent-Workers");
  co_await response.start_stream("text/plain");
  co_await response.write("goroutine 1 [running]:\n");
  response.set_trailer("X-Quoll-Dump-Silent-Workers", "worker-1");
  co_await response.finish();
}

TEST(commands, a_dump_that_misses_a_worker_says_so) {
  FakeDaemon daemon;
  daemon.route("GET", "/debug/goroutine",
               [](http::Request&, http::Response& response) { return send_incomplete_dump(response); });
  const Outcome outcome = daemon.run(StackOptions{});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.error, HasSubstr("no answer from worker-1"));
}

TEST(commands, tasks_are_a_line_each) {
  FakeDaemon daemon;
  const json answer{{"tasks",
                     {{{"id", 7},
                       {"state", "chan receive"},
                       {"wait_ms", 200000},
                       {"name", "http.Server: connection"},
                       {"request",
                        {{"method", "GET"},
                         {"route", "/containers/{id}/logs"},
                         {"path", "/containers/bg/logs"},
                         {"client", "unix:pid=1,uid=0"}}},
                       {"stack",
                        {{{"function", "quoll::task::AsyncFd::readable"}, {"file", "fd.cpp"}, {"line", 1}},
                         {{"function", "quoll::mgr::LogFollower::next"}, {"file", "x.cpp"}, {"line", 1}}}}},
                      {{"id", 8}, {"state", "running"}, {"wait_ms", 0}, {"name", "debug"}, {"stack", json::array()}}}},
                    {"dump", {{"silent_workers", {{{"name", "worker-0"}, {"running", 9}}}}}}};
  daemon.answer("GET", "/debug/tasks", 200, answer.dump());
  const Outcome outcome = daemon.run(TasksOptions{});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_THAT(outcome.out, HasSubstr("ID        STATE          FOR       NAME"));
  EXPECT_THAT(outcome.out,
              HasSubstr("\n7         chan receive   3m20s     http.Server: connection   GET /containers/{id}/logs   "
                        "unix:pid=1,uid=0   quoll::mgr::LogFollower::next\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\n8         running        0ms       debug                     -"));
  EXPECT_THAT(outcome.error, HasSubstr("no answer from worker-0"));
}

TEST(commands, version_names_the_client_though_no_daemon_is_there) {
  FakeDaemon daemon;
  const Outcome outcome = daemon.run_without_server(VersionOptions{});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "Client: quoll " QUOLL_VERSION "\n");
}

TEST(commands, info_shows_warnings_apart) {
  FakeDaemon daemon;
  daemon.answer("GET", "/info", 200,
                R"({"ServerVersion":"0.1.0","Containers":2,"MemTotal":1000,"Warnings":["WARNING: no bridge"]})");
  const Outcome outcome = daemon.run(InfoOptions{});
  EXPECT_THAT(outcome.out, HasSubstr("Server Version: 0.1.0\nContainers: 2\n"));
  EXPECT_EQ(outcome.error, "WARNING: no bridge\n");
}

task::Task<void> stay_silent(FakeDaemon* daemon, int signal, http::Response& response) {
  co_await response.start_stream(kMultiplexed);
  if (signal != 0) co_await daemon->signals.send(signal);
  task::Event never;
  co_await never.wait();
}

TEST(commands, a_signal_ends_a_command_that_waits) {
  FakeDaemon daemon;
  daemon.route("GET", "/containers/{id}/logs",
               [&daemon](http::Request&, http::Response& response) { return stay_silent(&daemon, SIGINT, response); });
  const Outcome outcome = daemon.run(LogsOptions{.follow = true, .container = "a"});
  EXPECT_EQ(outcome.exit_code, 130);
  EXPECT_EQ(outcome.error, "");
}

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }
  UniqueFd reading;
  UniqueFd writing;
};

TEST(commands, a_closed_pipe_ends_it_without_a_word) {
  FakeDaemon daemon;
  daemon.answer("GET", "/debug/goroutine", 200, "goroutine 1 [running]:\n", "text/plain");
  Pipe pipe;
  pipe.reading.reset();
  EXPECT_EQ(daemon.run_into(StackOptions{}, pipe.writing.get()), kExitOutputClosed);
}

TEST(commands, a_follower_ends_when_its_reader_goes_though_nothing_is_written) {
  FakeDaemon daemon;
  Pipe pipe;
  daemon.route("GET", "/containers/{id}/logs", [&pipe, &daemon](http::Request&, http::Response& response) {
    pipe.reading.reset();
    return stay_silent(&daemon, 0, response);
  });
  EXPECT_EQ(daemon.run_into(LogsOptions{.follow = true, .container = "a"}, pipe.writing.get()), kExitOutputClosed);
}

}  // namespace
}  // namespace quoll::cli
