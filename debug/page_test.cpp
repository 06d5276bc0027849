// The page over HTTP: its headers, its plain form, and that nothing which a client says becomes markup.
#include "debug/page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "debug/routes.hpp"
#include "http/server.hpp"
#include "task/block_on.hpp"
#include "task/scope.hpp"
#include "task/timer.hpp"
#include "tests/debug_readers/http_get.hpp"

namespace quoll::debug {
namespace {

using debug_readers::HttpAnswer;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

task::Task<void> sleep_long() { co_await task::sleep_for(std::chrono::hours(1)); }
task::Task<void> join(task::Scope* scope) { co_await scope->join(); }

class PageTest : public testing::Test {
 protected:
  PageTest() {
    add_debug_routes(router_, runtime_);
    runtime_.start();
    server_.emplace(std::vector<task::Worker*>{&worker_}, router_);
    port_ = server_->listen_tcp("127.0.0.1", 0);
  }
  ~PageTest() override {
    tasks_.cancel(task::CancelReason::kShutdown);
    task::block_on(worker_, "join", join(&tasks_));
    task::block_on(worker_, "stop", server_->stop(std::chrono::seconds(0)));
  }
  HttpAnswer get(const std::string& target) { return debug_readers::http_request(port_, "GET", target); }

  task::Runtime runtime_;
  task::Worker& worker_ = runtime_.add_worker("worker");
  http::Router router_;
  std::optional<http::Server> server_;
  std::uint16_t port_ = 0;
  task::Scope tasks_{"test", task::Scope::Kind::kRoot};
};

TEST_F(PageTest, allows_its_own_script_and_style_and_nothing_else) {
  for (const auto& [target, type] : {std::pair{"/debug/", "text/html; charset=utf-8"},
                                     {"/debug/page.css", "text/css; charset=utf-8"},
                                     {"/debug/page.js", "text/javascript; charset=utf-8"}}) {
    const HttpAnswer answer = get(target);
    EXPECT_EQ(answer.status, 200) << target;
    EXPECT_EQ(answer.header("Content-Type"), type);
    EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
    EXPECT_THAT(answer.header("Content-Security-Policy"), StartsWith("default-src 'none'; script-src 'self'"));
    // No style attribute, no handler attribute, no script of its own in the markup: the policy would refuse them.
    EXPECT_THAT(answer.body, Not(HasSubstr("style=\"")));
  }
  EXPECT_EQ(get("/debug").status, 301);
}

TEST_F(PageTest, has_a_row_for_each_task_and_says_how_many_it_leaves_out) {
  EXPECT_THAT(get("/debug/?match=sleep_long").body, HasSubstr("<p>0 tasks.</p>"));
  for (std::size_t i = 0; i < kPageRowsMax + 1; ++i) tasks_.spawn_on(worker_, "a<b>&\"", sleep_long());
  const std::string body = get("/debug/?match=sleep_long").body;
  EXPECT_THAT(body, HasSubstr("501 tasks. The first 500 are listed"));
  EXPECT_THAT(body, HasSubstr("<td>a&lt;b&gt;&amp;&quot;<td>"));
  EXPECT_THAT(body, Not(HasSubstr("a<b>")));
  EXPECT_THAT(body, HasSubstr("quoll::debug::sleep_long(...)"));
  EXPECT_THAT(body, HasSubstr("value=\"sleep_long\""));
}

TEST_F(PageTest, refuses_a_bad_filter_as_dumps_do) {
  EXPECT_EQ(get("/debug/?match=(").status, 400);
  EXPECT_EQ(get("/debug/page.json?state=nonsense").status, 400);
}

}  // namespace
}  // namespace quoll::debug
