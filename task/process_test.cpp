#include "task/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <sstream>

#include "task/error.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

// Runs a shell script as a Process and reads what it prints.
ProcessOptions shell(std::string script) {
  ProcessOptions options;
  options.argv = {"/bin/sh", "-c", std::move(script)};
  return options;
}

Task<ProcessExit> run_to_exit(ProcessOptions options) {
  Process process = Process::start(options);
  co_return co_await process.wait();
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error(errno, "pipe");
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  UniqueFd read;
  UniqueFd write;
};

Task<std::string> read_text(UniqueFd fd) {
  AsyncFd source(std::move(fd));
  std::string text;
  std::array<char, 4096> buffer;
  while (const std::size_t n = co_await source.read_some(buffer)) text.append(buffer.data(), n);
  co_return text;
}

Task<std::string> output_of(ProcessOptions options) {
  Pipe pipe;
  options.standard_output = pipe.write.get();
  Process process = Process::start(options);
  pipe.write.reset();
  std::string text = co_await read_text(std::move(pipe.read));
  co_await process.wait();
  co_return text;
}

// Nothing of this process's is left behind by a test.
class ProcessTest : public testing::Test {
 protected:
  ~ProcessTest() override {
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    EXPECT_EQ(errno, ECHILD);
  }
  std::optional<TestRuntime> runtime_{std::in_place};
  TestRuntime& test_ = *runtime_;  // until a test makes another
};

TEST_F(ProcessTest, wait_returns_the_exit_code) {
  const ProcessExit exit = test_.run(run_to_exit(shell("exit 3")));
  EXPECT_EQ(exit.code, 3);
  EXPECT_EQ(exit.signal, 0);
  EXPECT_FALSE(exit.success());
  EXPECT_EQ(to_string(exit), "exit status 3");
}

TEST_F(ProcessTest, wait_returns_the_signal_that_killed_it) {
  const ProcessExit exit = test_.run(run_to_exit(shell("kill -TERM $$")));
  EXPECT_EQ(exit.signal, SIGTERM);
  EXPECT_EQ(to_string(exit), "signal 15 (Terminated)");
}

TEST_F(ProcessTest, wait_returns_the_same_when_asked_again_and_kill_then_finds_nobody) {
  auto body = []() -> Task<void> {
    Process process = Process::start(shell("exit 4"));
    EXPECT_GT(process.pid(), 0);
    const ProcessExit first = co_await process.wait();
    const ProcessExit second = co_await process.wait();
    EXPECT_EQ(first.code, 4);
    EXPECT_EQ(second.code, 4);
    EXPECT_FALSE(process.kill(SIGKILL));
  };
  test_.run(body());
}

TEST_F(ProcessTest, a_missing_program_is_an_error_that_names_it) {
  ProcessOptions options;
  options.argv = {"/no/such/program"};
  try {
    test_.run(run_to_exit(options));
    FAIL() << "it was started";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kNotFound);
    EXPECT_EQ(error.message(), "/no/such/program: start: No such file or directory");
  }
}

TEST_F(ProcessTest, a_missing_directory_is_an_error_that_names_both) {
  ProcessOptions options = shell("true");
  options.working_directory = "/no/such/directory";
  try {
    test_.run(run_to_exit(options));
    FAIL() << "it was started";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "/bin/sh: change to directory /no/such/directory: No such file or directory");
  }
}

TEST_F(ProcessTest, no_program_is_an_invalid_argument) {
  EXPECT_THROW(test_.run(run_to_exit(ProcessOptions())), Error);
}

TEST_F(ProcessTest, a_name_without_a_slash_is_looked_up_in_path) {
  ProcessOptions options;
  options.argv = {"true"};
  EXPECT_TRUE(test_.run(run_to_exit(options)).success());
}

TEST_F(ProcessTest, env_is_inherited_or_exactly_what_is_given) {
  ::setenv("QUOLL_TEST_VARIABLE", "here", 1);
  EXPECT_EQ(test_.run(output_of(shell("echo $QUOLL_TEST_VARIABLE"))), "here\n");
  ProcessOptions options = shell("echo $QUOLL_TEST_VARIABLE-$OTHER");
  options.env = std::vector<std::string>{"OTHER=there"};
  EXPECT_EQ(test_.run(output_of(options)), "-there\n");
}

TEST_F(ProcessTest, runs_in_the_working_directory) {
  ProcessOptions options = shell("pwd");
  options.working_directory = "/usr/bin/..";
  EXPECT_EQ(test_.run(output_of(options)), "/usr\n");
}

TEST_F(ProcessTest, the_child_has_no_descriptor_that_is_not_named) {
  const UniqueFd leaky(::open("/dev/null", O_RDONLY));  // without close-on-exec
  ASSERT_TRUE(leaky);
  ProcessOptions options = shell("for fd in /proc/self/fd/*; do [ -e $fd ] && echo -n ${fd##*/}' '; done");
  const std::string fds = test_.run(output_of(options));
  EXPECT_EQ(fds, "0 1 2 ");
}

TEST_F(ProcessTest, standard_streams_are_null_where_none_is_given) {
  EXPECT_EQ(test_.run(output_of(shell("readlink /proc/self/fd/0; readlink /proc/self/fd/2; cat"))),
            "/dev/null\n/dev/null\n");
}

TEST_F(ProcessTest, named_descriptors_arrive_under_their_numbers) {
  Pipe first, second;
  ASSERT_EQ(::write(first.write.get(), "first", 5), 5);
  ASSERT_EQ(::write(second.write.get(), "second", 6), 6);
  first.write.reset();
  second.write.reset();
  // Each one's number in the child is the other's number here: neither may overwrite the other.
  ProcessOptions options =
      shell("cat <&" + std::to_string(second.read.get()) + "; cat <&" + std::to_string(first.read.get()));
  options.inherited_fds = {{first.read.get(), second.read.get()}, {second.read.get(), first.read.get()}};
  ASSERT_LT(first.read.get(), 10) << "the shell reads one digit only";
  ASSERT_LT(second.read.get(), 10);
  EXPECT_EQ(test_.run(output_of(options)), "firstsecond");
}

TEST_F(ProcessTest, a_named_descriptor_may_keep_its_number) {
  Pipe pipe;
  ASSERT_EQ(::write(pipe.write.get(), "same", 4), 4);
  pipe.write.reset();
  ProcessOptions options = shell("cat <&" + std::to_string(pipe.read.get()));
  options.inherited_fds = {{pipe.read.get(), pipe.read.get()}};
  EXPECT_EQ(test_.run(output_of(options)), "same");
}

TEST_F(ProcessTest, the_childs_signals_are_at_their_defaults) {
  ::signal(SIGUSR1, SIG_IGN);
  sigset_t mask, before;
  ::sigemptyset(&mask);
  ::sigaddset(&mask, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &mask, &before);
  const std::string status = test_.run(output_of(shell("exec cat /proc/self/status")));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGUSR1, SIG_DFL);
  const auto set_of = [&](std::string_view name) {
    return std::stoull(status.substr(status.find(name) + name.size()), nullptr, 16);
  };
  EXPECT_EQ(set_of("SigBlk:\t"), 0u);
  constexpr unsigned long long kOfTheCLibrary = 0x180000000;  // 32 and 33, which posix_spawn leaves ignored
  EXPECT_EQ(set_of("SigIgn:\t") & ~kOfTheCLibrary, 0u);
}

TEST_F(ProcessTest, it_leads_a_group_or_a_session_where_asked) {
  const std::string script = "ps -o pid=,pgid=,sid= -p $$";
  const auto ids_of = [&](ProcessOptions options) {
    std::istringstream text(test_.run(output_of(std::move(options))));
    std::array<pid_t, 3> ids{};
    for (pid_t& id : ids) text >> id;
    return ids;
  };
  const auto inherited = ids_of(shell(script));
  EXPECT_EQ(inherited[1], ::getpgrp());
  ProcessOptions group = shell(script);
  group.new_process_group = true;
  const auto own_group = ids_of(group);
  EXPECT_EQ(own_group[0], own_group[1]);
  EXPECT_EQ(own_group[2], ::getsid(0));
  ProcessOptions session = shell(script);
  session.new_session = true;
  const auto own_session = ids_of(session);
  EXPECT_EQ(own_session[0], own_session[1]);
  EXPECT_EQ(own_session[0], own_session[2]);
}

TEST_F(ProcessTest, kill_sends_the_signal) {
  auto body = []() -> Task<ProcessExit> {
    Process process = Process::start(shell("exec sleep 1000"));
    EXPECT_TRUE(process.kill(SIGTERM));
    co_return co_await process.wait();
  };
  EXPECT_EQ(test_.run(body()).signal, SIGTERM);
}

// The grandchild has the pipe's only other end: the read ends when it is gone.
Task<std::string> start_family_and_drop_it(std::string* error) {
  Pipe pipe;
  {
    ProcessOptions options = shell("sleep 1000 & echo started; wait");
    options.new_process_group = true;
    options.standard_output = pipe.write.get();
    Process process = Process::start(options);
    pipe.write.reset();
    std::array<char, 16> buffer;
    if (::read(pipe.read.get(), buffer.data(), buffer.size()) <= 0) *error = "the child did not start";
  }
  co_return co_await read_text(std::move(pipe.read));
}

TEST_F(ProcessTest, the_destructor_kills_the_group_and_leaves_no_zombie) {
  std::string error;
  EXPECT_EQ(test_.run(start_family_and_drop_it(&error)), "");
  EXPECT_EQ(error, "");
  runtime_.reset();  // whoever reaps has ended with the pool
}

TEST_F(ProcessTest, the_destructor_reaps_one_that_has_ended_and_was_not_waited_for) {
  auto body = []() -> Task<void> {
    Pipe pipe;
    ProcessOptions options = shell("true");
    options.standard_output = pipe.write.get();
    Process process = Process::start(options);
    pipe.write.reset();
    co_await read_text(std::move(pipe.read));
  };
  test_.run(body());
  runtime_.reset();
}

TEST_F(ProcessTest, a_cancelled_wait_leaves_it_running_and_it_can_be_waited_for_again) {
  auto body = []() -> Task<ProcessExit> {
    Process process = Process::start(shell("exec sleep 1000"));
    bool timed_out = false;
    try {
      co_await with_deadline(std::chrono::microseconds(1), process.wait());
    } catch (const Error&) {
      timed_out = true;
    }
    EXPECT_TRUE(timed_out);
    EXPECT_TRUE(process.kill(SIGINT));
    co_return co_await process.wait();
  };
  EXPECT_EQ(test_.run(body()).signal, SIGINT);
}

TEST_F(ProcessTest, a_moved_process_is_the_same_one) {
  auto body = []() -> Task<ProcessExit> {
    Process first = Process::start(shell("exit 6"));
    Process second = std::move(first);
    co_return co_await second.wait();
  };
  EXPECT_EQ(test_.run(body()).code, 6);
}

TEST_F(ProcessTest, the_exit_status_is_kept_though_sigchld_was_ignored) {
  ::signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(test_.run(run_to_exit(shell("exit 7"))).code, 7);
  ::signal(SIGCHLD, SIG_DFL);
}

TEST_F(ProcessTest, a_status_that_somebody_else_took_is_an_error_not_a_hang) {
  auto body = []() -> Task<void> {
    Process process = Process::start(shell("exit 7"));
    while (::waitpid(process.pid(), nullptr, 0) < 0) {
    }
    co_await process.wait();
  };
  EXPECT_THROW(test_.run(body()), Error);
}

Task<void> close_later(UniqueFd fd) {
  co_await yield();
  fd.reset();
}

// The child ends when the pipe is closed, which is after its parent has begun to wait.
Task<void> run_until_closed() {
  Pipe pipe;
  ProcessOptions options = shell("cat");
  options.standard_input = pipe.read.get();
  co_await when_all(close_later(std::move(pipe.write)), run_to_exit(options));
}

Task<void> run_twice() {
  co_await run_until_closed();
  co_await run_until_closed();
}

TEST_F(ProcessTest, cancelled_at_every_await_no_child_and_no_descriptor_is_left) {
  runtime_.reset();
  const int first_free = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get();
  runtime_.emplace();
  EXPECT_GE(cancel_at_every_await(*runtime_, [&] { return run_twice(); }), 4);
  runtime_.reset();
  EXPECT_EQ(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get(), first_free);
}

}  // namespace
}  // namespace quoll::task
