#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "task/error.hpp"
#include "task/process.hpp"
#include "task/testing.hpp"

namespace quoll::task {
namespace {

std::vector<std::string> shell(std::string script) { return {"/bin/sh", "-c", std::move(script)}; }

class CommandTest : public testing::Test {
 protected:
  ~CommandTest() override {
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    EXPECT_EQ(errno, ECHILD);
  }
  TestRuntime test_;
};

TEST_F(CommandTest, returns_both_outputs_and_the_exit_status) {
  const CommandResult result = test_.run(run_command(shell("echo out; echo err >&2; exit 5")));
  EXPECT_EQ(result.standard_output, "out\n");
  EXPECT_EQ(result.standard_error, "err\n");
  EXPECT_EQ(result.exit.code, 5);
  EXPECT_FALSE(result.truncated);
}

TEST_F(CommandTest, passes_input_environment_directory_and_descriptors) {
  const UniqueFd extra(::open("/proc/self/comm", O_RDONLY | O_CLOEXEC));
  CommandOptions options;
  options.standard_input = "input";
  options.env = std::vector<std::string>{"NAME=value", "PATH=/bin:/usr/bin"};
  options.working_directory = "/usr";
  options.inherited_fds = {{extra.get(), 5}};
  const CommandResult result = test_.run(run_command(shell("cat; echo -$NAME; pwd; wc -l <&5"), std::move(options)));
  EXPECT_EQ(result.standard_output, "input-value\n/usr\n1\n");
}

TEST_F(CommandTest, one_that_is_not_killable_yet_is_killed_when_it_is) {
  int asked = 0;
  CommandOptions options;
  options.time_limit = std::chrono::milliseconds(1);
  options.killable = [&asked] { return ++asked == 3; };
  EXPECT_THROW(test_.run(run_command({"sleep", "1000"}, std::move(options))), Error);
  EXPECT_EQ(asked, 3);
}

TEST_F(CommandTest, one_that_is_never_killable_may_end_by_itself) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd read(ends[0]), write(ends[1]);
  CommandOptions options;
  options.time_limit = std::chrono::milliseconds(1);
  options.inherited_fds = {{read.get(), 7}};
  // It is asked after the limit only, and the command ends after it was asked only.
  options.killable = [&write] {
    write.reset();
    return false;
  };
  EXPECT_THROW(test_.run(run_command(shell("exec cat <&7"), std::move(options))), Error);
}

TEST_F(CommandTest, without_input_it_reads_the_end_at_once) {
  EXPECT_EQ(test_.run(run_command({"cat"})).standard_output, "");
}

TEST_F(CommandTest, much_input_and_output_at_once_do_not_block_each_other) {
  CommandOptions options;
  options.standard_input = std::string(700'000, 'x');
  const std::string expected = options.standard_input;
  const CommandResult result = test_.run(run_command(shell("tee /dev/stderr"), std::move(options)));
  EXPECT_EQ(result.standard_output, expected);
  EXPECT_EQ(result.standard_error, expected);
}

TEST_F(CommandTest, input_that_the_command_does_not_read_is_no_failure) {
  CommandOptions options;
  options.standard_input = std::string(700'000, 'x');
  EXPECT_TRUE(test_.run(run_command({"true"}, std::move(options))).exit.success());
}

TEST_F(CommandTest, output_beyond_the_limit_is_dropped_and_said) {
  CommandOptions options;
  options.output_bytes_max = 10;
  const CommandResult result =
      test_.run(run_command(shell("head -c 300000 /dev/zero | tr '\\0' x; exit 2"), std::move(options)));
  EXPECT_EQ(result.standard_output, "xxxxxxxxxx");
  EXPECT_TRUE(result.truncated);
  EXPECT_EQ(result.exit.code, 2) << "the command was not blocked by its full pipe";
}

TEST_F(CommandTest, output_of_exactly_the_limit_is_whole) {
  CommandOptions options;
  options.output_bytes_max = 3;
  const CommandResult result = test_.run(run_command({"echo", "ab"}, std::move(options)));
  EXPECT_EQ(result.standard_output, "ab\n");
  EXPECT_FALSE(result.truncated);
}

// A daemon that the command starts holds the pipes open and outlives it; the fifo ends it.
TEST_F(CommandTest, a_process_that_it_leaves_behind_does_not_hold_it_up) {
  const CommandResult result = test_.run(run_command(shell("sleep 1000 & echo $!")));
  EXPECT_TRUE(result.exit.success());
  const pid_t left = static_cast<pid_t>(std::stol(result.standard_output));
  EXPECT_EQ(::kill(left, SIGKILL), 0) << "it does run on";
}

TEST_F(CommandTest, a_missing_program_is_an_error_that_names_it_once) {
  try {
    test_.run(run_command({"/no/such/program"}));
    FAIL() << "it was started";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "/no/such/program: start: No such file or directory");
  }
}

TEST_F(CommandTest, after_its_time_limit_it_is_killed_with_its_children) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd read(ends[0]), write(ends[1]);
  CommandOptions options;
  options.time_limit = std::chrono::milliseconds(20);
  options.inherited_fds = {{write.get(), 7}};
  try {
    test_.run(run_command(shell("sleep 1000 & sleep 1000"), std::move(options)));
    FAIL() << "it ended";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kDeadlineExceeded);
    EXPECT_EQ(error.message(), "/bin/sh: deadline exceeded");
  }
  write.reset();
  char byte = 0;
  EXPECT_EQ(::read(read.get(), &byte, 1), 0) << "the children hold the pipe until they are gone";
}

TEST_F(CommandTest, cancelled_it_is_killed_and_reaped_before_the_cancel_goes_on) {
  Scope scope("test");
  bool done = false;
  int children = 0;
  auto body = [](bool* ended, int* left) -> Task<void> {
    try {
      co_await run_command(shell("sleep 1000 & sleep 1000"));
    } catch (const Cancelled&) {
      *left = ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD ? 0 : 1;
      *ended = true;
    }
  };
  test_.spawn(scope, "command", body(&done, &children));
  test_.poll();
  EXPECT_FALSE(done);
  scope.cancel(CancelReason::kClientGone);
  while (scope.size() > 0) ASSERT_TRUE(test_.worker().run_one_for(std::chrono::seconds(30)));
  EXPECT_TRUE(done);
  EXPECT_EQ(children, 0);
}

TEST_F(CommandTest, cancelled_at_every_await_no_child_and_no_descriptor_is_left) {
  const int first_free = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get();
  auto body = []() -> Task<void> {
    CommandOptions options;
    options.standard_input = std::string(100'000, 'x');
    co_await run_command({"cat"}, std::move(options));
  };
  EXPECT_GE(cancel_at_every_await(
                test_, [&] { return body(); },
                [&] {
                  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
                  EXPECT_EQ(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get(), first_free);
                }),
            4);
}

}  // namespace
}  // namespace quoll::task
