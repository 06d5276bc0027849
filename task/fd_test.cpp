#include "task/fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

// Blocking ends, as a parent or another library hands them over.
Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error(errno, "pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Task<void> read_text(UniqueFd fd, std::string* text, std::string* outcome) {
  try {
    AsyncFd source(std::move(fd));
    std::array<char, 16> bytes;
    while (const std::size_t n = co_await source.read_some(bytes)) text->append(bytes.data(), n);
    *outcome = "end";
  } catch (const Cancelled&) {
    *outcome = "cancelled";
  } catch (const Error& error) {
    *outcome = error.message();
  }
}

Task<void> write_text(UniqueFd fd, std::string text, std::string* outcome) {
  try {
    AsyncFd sink(std::move(fd));
    co_await sink.write_all(text);
    *outcome = "written";
  } catch (const Cancelled&) {
    *outcome = "cancelled";
  } catch (const Error& error) {
    *outcome = error.message();
  }
}

TEST(fd, reading_an_empty_blocking_pipe_suspends_the_task_not_the_worker) {
  TestRuntime test;
  Pipe pipe = make_pipe();
  Scope scope("test");
  std::string text, outcome;
  test.spawn(scope, "read", read_text(std::move(pipe.read), &text, &outcome));
  test.poll();
  EXPECT_EQ(outcome, "");
  EXPECT_EQ(test.worker().tasks()[0]->state, TaskState::kIoWait);
  ASSERT_EQ(::write(pipe.write.get(), "abc", 3), 3);
  test.poll();
  EXPECT_EQ(text, "abc");
  pipe.write.reset();
  test.poll();
  EXPECT_EQ(outcome, "end");
}

TEST(fd, a_cancelled_read_ends_and_loses_nothing) {
  TestRuntime test;
  Pipe pipe = make_pipe();
  Scope scope("test");
  std::string text, outcome;
  test.spawn(scope, "read", read_text(UniqueFd(::dup(pipe.read.get())), &text, &outcome));
  test.poll();
  scope.cancel(CancelReason::kClientGone);
  ASSERT_EQ(::write(pipe.write.get(), "abc", 3), 3);
  test.poll();
  EXPECT_EQ(outcome, "cancelled");
  std::array<char, 8> rest;
  EXPECT_EQ(text.size() + static_cast<std::size_t>(std::max<ssize_t>(0, ::read(pipe.read.get(), rest.data(), 8))), 3u);
}

TEST(fd, a_long_write_waits_for_its_reader) {
  TestRuntime test;
  Pipe pipe = make_pipe();
  const std::string sent(1'000'000, 'x');
  Scope scope("test");
  std::string wrote, text, outcome;
  test.spawn(scope, "write", write_text(std::move(pipe.write), sent, &wrote));
  test.poll();
  EXPECT_EQ(wrote, "");
  test.run(read_text(std::move(pipe.read), &text, &outcome));
  EXPECT_EQ(wrote, "written");
  EXPECT_EQ(text, sent);
}

TEST(fd, writing_where_nobody_reads_is_an_error_not_a_signal) {
  TestRuntime test;
  Pipe pipe = make_pipe();
  pipe.read.reset();
  std::string outcome;
  test.run(write_text(std::move(pipe.write), "abc", &outcome));
  EXPECT_EQ(outcome, "write: Broken pipe");
}

TEST(fd, what_cannot_be_waited_for_is_an_error) {
  TestRuntime test;
  std::string text, outcome;
  test.run(read_text(UniqueFd(), &text, &outcome));
  EXPECT_NE(outcome.find("Bad file descriptor"), std::string::npos) << outcome;
}

Task<void> read_event(AsyncFd& event, std::uint64_t* value) {
  co_await event.readable();
  std::array<char, 8> bytes;
  co_await event.read_some(bytes);
  std::memcpy(value, bytes.data(), bytes.size());
}

TEST(fd, readable_returns_when_there_is_something_to_read) {
  TestRuntime test;
  auto body = []() -> Task<std::uint64_t> {
    AsyncFd event{UniqueFd(::eventfd(0, EFD_CLOEXEC))};
    Scope scope("test");
    std::uint64_t value = 0;
    scope.spawn("read", read_event(event, &value));
    co_await yield();
    const std::uint64_t one = 1;
    if (::write(event.get(), &one, sizeof one) != sizeof one) throw system_error(errno, "write");
    co_await scope.join();
    co_await event.writable();
    co_return value;
  };
  EXPECT_EQ(test.run(body()), 1u);
}

TEST(fd, cancelled_at_every_await_no_descriptor_is_left) {
  TestRuntime test;
  const int first_free = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get();
  auto body = [](std::string* text) -> Task<void> {
    Pipe pipe = make_pipe();
    Scope scope("test");
    std::string outcome;
    scope.spawn("write", write_text(std::move(pipe.write), std::string(200'000, 'x'), &outcome));
    std::string read;
    co_await read_text(std::move(pipe.read), text, &read);
    co_await scope.join();
  };
  std::string text;
  EXPECT_GE(cancel_at_every_await(
                test, [&] { return body(&text); },
                [&] { EXPECT_EQ(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get(), first_free); }),
            2);
}

}  // namespace
}  // namespace quoll::task
