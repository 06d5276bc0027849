// This process listens on sockets of all kinds and looks them up in /proc.
#include "cli/process_hosts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "cli/test_support.hpp"
#include "http/listen.hpp"
#include "task/error.hpp"

namespace quoll::cli {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

TEST(process_hosts, lists_sockets_of_all_kinds_debug_first) {
  FakeDaemon daemon;
  const std::string api = daemon.directory() + "/a b.sock", debug = daemon.directory() + "/debug.sock";
  const UniqueFd first = http::open_unix_listener(api, 0600, {});
  const UniqueFd second = http::open_unix_listener(debug, 0600, {});
  const UniqueFd third = http::open_tcp_listener("127.0.0.1", 0);
  const UniqueFd fourth = http::open_tcp_listener("::1", 0);
  const std::vector<std::string> hosts = listeners_of(::getpid());
  ASSERT_EQ(hosts.size(), 4u);
  EXPECT_EQ(hosts.front(), "unix://" + debug);
  EXPECT_THAT(hosts, Contains("unix://" + api));
  EXPECT_THAT(hosts, Contains("tcp://127.0.0.1:" + std::to_string(http::bound_port(third.get()))));
  EXPECT_THAT(hosts, Contains("tcp://[::1]:" + std::to_string(http::bound_port(fourth.get()))));
}

TEST(process_hosts, a_process_that_is_not_there_or_listens_on_nothing_is_an_error) {
  EXPECT_THROW(listeners_of(0x7ffffff0), Error);
  EXPECT_THROW(listeners_of(::getpid()), Error);
}

TEST(process_hosts, commands_find_the_process_that_serves_debug) {
  FakeDaemon daemon;
  daemon.answer("HEAD", "/debug/pprof/cmdline", 200, "");
  daemon.answer("GET", "/debug/goroutine", 200, "goroutine 1 [running]:\n", "text/plain");
  // A socket of that name that serves nothing is passed over.
  const UniqueFd other = http::open_unix_listener(daemon.directory() + "/debug.sock", 0600, {});
  const Outcome outcome = daemon.run(StackOptions{.tasks = {.pid = ::getpid()}});
  EXPECT_EQ(outcome.out, "goroutine 1 [running]:\n");
  EXPECT_EQ(outcome.error, "");
}

TEST(process_hosts, a_process_without_debug_is_named_with_its_sockets) {
  FakeDaemon daemon;
  const Outcome outcome = daemon.run(TreeOptions{.tasks = {.pid = ::getpid()}});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.error, HasSubstr("serves /debug on none of its sockets: " + daemon.host()));
}

}  // namespace
}  // namespace quoll::cli
