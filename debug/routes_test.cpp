// The routes over HTTP, on a server with a thread of its own beside the workers that it shows.
#include "debug/routes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "debug/dump.hpp"
#include "debug/metrics.hpp"
#include "http/server.hpp"
#include "task/event.hpp"
#include "task/runtime.hpp"
#include "tests/debug_readers/dump_parser.hpp"
#include "tests/debug_readers/http_get.hpp"
#include "tests/debug_readers/profile_decoder.hpp"
#include "tests/support/sanitizers.hpp"

namespace quoll::debug {
namespace {

using debug_readers::DumpParser;
using debug_readers::HttpAnswer;
using debug_readers::ParsedTask;
using task::Task;
using testing::HasSubstr;

Task<void> follow(task::Event& event) { co_await event.wait(); }
Task<void> stop_server(http::Server* server) { co_await server->stop(std::chrono::seconds(0)); }

class RoutesTest : public testing::Test {
 protected:
  RoutesTest() {
    add_debug_routes(router_, runtime_);
    runtime_.start();
    server_.emplace(std::vector<task::Worker*>{&debug_}, router_);
    port_ = server_->listen_tcp("127.0.0.1", 0);
    add_tasks(3);
  }
  ~RoutesTest() override {
    scope_.cancel(task::CancelReason::kShutdown);
    join(scope_);
    task::Scope stopping("test.stopping");
    stopping.spawn_on(debug_, "stop", stop_server(&*server_));
    join(stopping);
    server_.reset();
    EXPECT_EQ(runtime_.task_count(), 0u);
    runtime_.stop();
  }
  static void join(task::Scope& scope) {
    while (scope.size() > 0) std::this_thread::yield();
  }
  void add_tasks(int count) {
    for (int i = 0; i < count; ++i) scope_.spawn_on(work_, "follow", follow(event_));
  }
  HttpAnswer get(const std::string& target) { return debug_readers::http_request(port_, "GET", target); }

  task::Runtime runtime_;
  task::Worker& work_ = runtime_.add_worker("work");
  task::Worker& debug_ = runtime_.add_worker("debug");
  task::Event event_;
  http::Router router_;
  std::optional<http::Server> server_;
  std::uint16_t port_ = 0;
  task::Scope scope_{"test.scope"};
};

std::size_t in_function(const std::vector<ParsedTask>& tasks, std::string_view function) {
  std::size_t count = 0;
  for (const ParsedTask& task : tasks) count += task.has_frame(function) ? 1 : 0;
  return count;
}

TEST_F(RoutesTest, goroutine_is_streamed_text_that_says_of_itself_how_it_went) {
  const HttpAnswer answer = get("/debug/goroutine");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(answer.header("Transfer-Encoding"), "chunked");
  const std::vector<ParsedTask> tasks = DumpParser::parse(answer.body);
  EXPECT_EQ(in_function(tasks, "quoll::debug::follow"), 3u);
  EXPECT_EQ(tasks[0].state, "running");
  EXPECT_TRUE(tasks[0].has_frame("quoll::debug::goroutine_text"));
  EXPECT_THAT(answer.header("Trailer"), HasSubstr("X-Quoll-Dump-Tasks"));
  EXPECT_EQ(answer.trailer("X-Quoll-Dump-Tasks"), std::to_string(tasks.size()));
  EXPECT_EQ(answer.trailer("X-Quoll-Dump-Complete"), "true");
  EXPECT_NE(answer.trailer("X-Quoll-Dump-Duration-Us"), "");
  EXPECT_NE(answer.trailer("X-Quoll-Dump-Longest-Slice-Us"), "");
}

TEST_F(RoutesTest, pprof_goroutine_with_debug_2_is_the_same_text) {
  const std::vector<ParsedTask> tasks = DumpParser::parse(get("/debug/pprof/goroutine?debug=2").body);
  EXPECT_EQ(in_function(tasks, "quoll::debug::follow"), 3u);
  EXPECT_TRUE(tasks[0].has_frame("quoll::debug::goroutine_profile"));
}

TEST_F(RoutesTest, filters_come_from_the_query) {
  EXPECT_EQ(DumpParser::parse(get("/debug/goroutine?match=debug::follow%24").body).size(), 3u);
  EXPECT_EQ(DumpParser::parse(get("/debug/goroutine?match=follow&state=sync.Cond.Wait").body).size(), 3u);
  EXPECT_EQ(get("/debug/goroutine?match=follow&state=IO+wait").body, "");
  EXPECT_EQ(get("/debug/goroutine?match=follow&min_wait=1h").body, "");
  EXPECT_THAT(get("/debug/goroutine?match=follow&files=go").body, HasSubstr("debug/routes_test.cpp#.go:"));
}

TEST_F(RoutesTest, an_empty_dump_is_a_whole_answer) {
  const HttpAnswer answer = get("/debug/goroutine?match=nobody_is_called_that");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(answer.trailer("X-Quoll-Dump-Tasks"), "0");
}

TEST_F(RoutesTest, values_that_are_not_known_are_400_with_gos_mark) {
  for (const std::string query : {"debug=4", "debug=x", "state=asleep", "min_wait=soon", "files=c", "match=(",
                                  "debug=0&seconds=0", "debug=0&seconds=x"}) {
    const HttpAnswer answer = get("/debug/goroutine?" + query);
    EXPECT_EQ(answer.status, 400) << query;
    EXPECT_EQ(answer.header("X-Go-Pprof"), "1") << query;
    EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=utf-8") << query;
    EXPECT_EQ(answer.header("Content-Disposition"), "") << query;
  }
  EXPECT_EQ(get("/debug/pprof/goroutine?debug=1&seconds=1").body, "seconds and debug params are incompatible\n");
  EXPECT_EQ(get("/debug/pprof/goroutine?seconds=-1").body,
            "invalid value for \"seconds\" - must be a positive integer\n");
}

TEST_F(RoutesTest, debug_1_is_the_legacy_text) {
  const HttpAnswer answer = get("/debug/pprof/goroutine?debug=1");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_THAT(answer.body, testing::StartsWith("goroutine profile: total "));
  EXPECT_THAT(answer.body, HasSubstr("\n3 @ 0x"));
}

TEST_F(RoutesTest, debug_0_is_an_attachment_for_pprof) {
  const HttpAnswer answer = get("/debug/pprof/goroutine");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(answer.header("Content-Disposition"), "attachment; filename=\"goroutine\"");
  EXPECT_EQ(answer.header("X-Quoll-Dump-Complete"), "true");
  std::int64_t follows = 0;
  for (const auto& sample : debug_readers::ProfileDecoder::decode(answer.body).samples) {
    if (sample.functions[0] == "quoll::debug::follow") follows += sample.value;
  }
  EXPECT_EQ(follows, 3);
}

TEST_F(RoutesTest, seconds_gives_what_has_changed) {
  const HttpAnswer answer = get("/debug/pprof/goroutine?seconds=1");
  EXPECT_EQ(answer.header("Content-Disposition"), "attachment; filename=\"goroutine-delta\"");
  const auto profile = debug_readers::ProfileDecoder::decode(answer.body);
  EXPECT_EQ(profile.duration_nanos, 1'000'000'000);
  for (const auto& sample : profile.samples) EXPECT_NE(sample.functions[0], "quoll::debug::follow");
}

TEST_F(RoutesTest, debug_3_has_one_sample_a_task) {
  const auto profile = debug_readers::ProfileDecoder::decode(get("/debug/pprof/goroutine?debug=3&match=follow").body);
  EXPECT_EQ(profile.samples.size(), 3u);
}

TEST_F(RoutesTest, tasks_are_json) {
  const HttpAnswer answer = get("/debug/tasks?match=follow");
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  const auto json = nlohmann::json::parse(answer.body);
  ASSERT_EQ(json["tasks"].size(), 3u);
  EXPECT_EQ(json["tasks"][0]["name"], "follow");
  EXPECT_EQ(json["tasks"][0]["state"], "sync.Cond.Wait");
  EXPECT_EQ(json["tasks"][0]["stack"][0]["function"], "quoll::debug::follow");
  EXPECT_EQ(json["dump"]["shown"], 3);
  EXPECT_EQ(json["dump"]["complete"], true);
  EXPECT_EQ(nlohmann::json::parse(get("/debug/tasks?match=nobody_is_called_that").body)["tasks"].size(), 0u);
}

TEST_F(RoutesTest, index_lists_what_there_is) {
  const HttpAnswer answer = get("/debug/pprof/");
  EXPECT_EQ(answer.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_THAT(answer.body,
              testing::ContainsRegex("<tr><td>[0-9]+</td><td><a href='goroutine.debug=1'>goroutine</a></td></tr>"));
  EXPECT_THAT(answer.body, HasSubstr("goroutine?debug=2"));
  EXPECT_EQ(get("/debug/pprof").header("Location"), "/debug/pprof/");
}

TEST_F(RoutesTest, every_profile_of_the_index_is_there_in_both_forms) {
  for (const std::string name : {"block", "mutex", "threadcreate"}) {
    const HttpAnswer packed = get("/debug/pprof/" + name);
    EXPECT_EQ(packed.status, 200) << name;
    EXPECT_EQ(packed.header("Content-Disposition"), "attachment; filename=\"" + name + "\"");
    EXPECT_NO_THROW(debug_readers::gunzip(packed.body));
    EXPECT_EQ(get("/debug/pprof/" + name + "?debug=1").header("Content-Type"), "text/plain; charset=utf-8");
    EXPECT_EQ(get("/debug/pprof/" + name + "?debug=1&seconds=1").body, "seconds and debug params are incompatible\n");
    EXPECT_EQ(get("/debug/pprof/" + name + "?seconds=0").status, 400);
    EXPECT_THAT(get("/debug/pprof/").body, HasSubstr("<a href='" + name + "?debug=1'>"));
  }
  EXPECT_EQ(get("/debug/pprof/nonsense").status, 404);
  EXPECT_EQ(get("/debug/pprof/nonsense").body, "Unknown profile\n");
}

// This program has no allocation hooks.
TEST_F(RoutesTest, a_program_that_does_not_sample_its_allocations_says_so) {
  for (const std::string name : {"heap", "allocs"}) {
    const HttpAnswer answer = get("/debug/pprof/" + name);
    EXPECT_EQ(answer.status, 501) << name;
    EXPECT_EQ(answer.header("X-Go-Pprof"), "1");
    EXPECT_THAT(get("/debug/pprof/").body, testing::Not(HasSubstr("<a href='" + name)));
  }
}

TEST_F(RoutesTest, cpu_profile_and_trace_take_part_of_a_second) {
  EXPECT_NO_THROW(debug_readers::gunzip(get("/debug/pprof/profile?seconds=0.1").body));
  const HttpAnswer trace = get("/debug/pprof/trace?seconds=0.1");
  EXPECT_EQ(trace.header("Content-Disposition"), "attachment; filename=\"trace.json\"");
  EXPECT_TRUE(nlohmann::json::parse(trace.body)["traceEvents"].is_array());
}

TEST_F(RoutesTest, vars_and_metrics) {
  const nlohmann::json vars = nlohmann::json::parse(get("/debug/vars").body);
  EXPECT_GT(vars["memstats"]["Alloc"], test::kOwnAllocator ? -1 : 0);
  EXPECT_GT(vars["tasks"]["running"], 0);
  EXPECT_THAT(std::string(vars["cmdline"][0]), HasSubstr("quoll_debug_test"));
  const HttpAnswer metrics = get("/metrics");
  EXPECT_EQ(metrics.header("Content-Type"), kPrometheusText);
  EXPECT_THAT(metrics.body, HasSubstr("\nquoll_tasks{state=\"running\"} 1\n"));
  EXPECT_THAT(metrics.body, HasSubstr("\nprocess_open_fds "));
}

TEST_F(RoutesTest, symbol_answers_get_and_post) {
  const Place& place = place_of(std::source_location::current());
  std::ostringstream address;
  address << "0x" << std::hex << place.pc - 1;
  const std::string expected = "num_symbols: 1\n" + address.str() + " " + place.function + "\n";
  EXPECT_EQ(debug_readers::http_request(port_, "POST", "/debug/pprof/symbol", address.str() + "+0x1").body, expected);
  EXPECT_EQ(get("/debug/pprof/symbol?" + address.str()).body, expected);
  EXPECT_EQ(get("/debug/pprof/symbol").body, "num_symbols: 1\n");
}

TEST_F(RoutesTest, cmdline_is_this_programs) {
  EXPECT_THAT(get("/debug/pprof/cmdline").body, HasSubstr("quoll_debug_test"));
}

TEST_F(RoutesTest, head_has_the_headers_and_no_body) {
  for (const std::string target : {"/debug/goroutine", "/debug/pprof/goroutine", "/debug/pprof/", "/debug/tasks",
                                   "/debug/pprof/goroutine?debug=1", "/debug/pprof/goroutine?debug=3"}) {
    const HttpAnswer head = debug_readers::http_request(port_, "HEAD", target);
    EXPECT_EQ(head.status, 200) << target;
    EXPECT_EQ(head.header("Content-Type"), get(target).header("Content-Type")) << target;
    EXPECT_EQ(head.body, "") << target;
  }
}

// The client takes nothing of a large dump and leaves: the dump ends, and its task with it.
TEST_F(RoutesTest, a_client_that_leaves_in_the_middle_of_a_dump_ends_it) {
  add_tasks(60'000);
  const int fd = debug_readers::connect_loopback(port_);
  debug_readers::send_all(fd, "GET /debug/goroutine HTTP/1.1\r\nHost: localhost\r\n\r\n");
  char first = 0;
  ASSERT_EQ(::recv(fd, &first, 1, 0), 1);
  EXPECT_EQ(DumpParser::parse(get("/debug/goroutine?match=goroutine_text").body).size(), 2u);
  const linger reset{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  ::close(fd);
  // Two answers later at the latest the leaving has been noticed; each takes a while with that many tasks.
  std::size_t left = 2;
  for (int attempt = 0; left > 1 && attempt < 100; ++attempt) {
    left = DumpParser::parse(get("/debug/goroutine?match=goroutine_text").body).size();
  }
  EXPECT_EQ(left, 1u);
}

}  // namespace
}  // namespace quoll::debug
