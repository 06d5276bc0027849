// Bytes pass from a task to a blocking function whole and in order, and either side may end first.
#include "task/byte_pipe.hpp"

#include <gtest/gtest.h>

#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/testing.hpp"

namespace quoll::task {
namespace {

Task<void> write_numbers(BytePipe* pipe, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = std::to_string(i) + "\n";
    co_await pipe->write(text);
  }
  pipe->close();
}

Task<std::size_t> read_numbers(BytePipe* pipe) {
  co_return co_await blocking_at_peers_pace([pipe] {
    std::string all;
    std::array<char, 1000> buffer;
    while (const std::size_t got = pipe->read(buffer)) all.append(buffer.data(), got);
    std::size_t wanted = 0;
    for (std::size_t at = 0; at < all.size(); ++wanted) {
      const std::size_t end = all.find('\n', at);
      if (all.substr(at, end - at) != std::to_string(wanted)) return std::size_t{0};
      at = end + 1;
    }
    return wanted;
  });
}

TEST(byte_pipe, bytes_arrive_whole_and_in_order) {
  TestRuntime runtime;
  BytePipe pipe;
  std::size_t count = 0;
  runtime.run([](BytePipe* shared, std::size_t* read) -> Task<void> {
    const auto [nothing, numbers] = co_await when_all(write_numbers(shared, 200'000), read_numbers(shared));
    *read = numbers;
  }(&pipe, &count));
  EXPECT_EQ(count, 200'000u);
}

TEST(byte_pipe, a_reader_that_ends_early_keeps_nobody_waiting) {
  TestRuntime runtime;
  BytePipe pipe;
  runtime.run([](BytePipe* shared) -> Task<void> {
    co_await blocking_at_peers_pace([shared] { shared->end_reading(); });
    const std::string much(4 * BytePipe::kCapacity, 'x');
    co_await shared->write(much);
  }(&pipe));
}

TEST(byte_pipe, a_broken_end_is_an_error_and_no_end) {
  TestRuntime runtime;
  BytePipe pipe;
  runtime.run([](BytePipe* shared) -> Task<void> {
    co_await shared->write("half");
    shared->break_off();
    ErrorClass found = ErrorClass::kInternal;
    try {
      co_await blocking_at_peers_pace([shared] {
        std::array<char, 10> buffer;
        while (shared->read(buffer) != 0) {
        }
      });
    } catch (const Error& error) {
      found = error.error_class();
    }
    EXPECT_EQ(found, ErrorClass::kCancelled);
  }(&pipe));
}

Task<void> write_much(BytePipe* pipe) {
  const std::string much(3 * BytePipe::kCapacity, 'x');
  co_await pipe->write(much);
}

Task<void> end_reading(BytePipe* pipe) {
  co_await blocking_at_peers_pace([pipe] { pipe->end_reading(); });
}

Task<void> fill_and_end() {
  BytePipe pipe;
  co_await when_all(write_much(&pipe), end_reading(&pipe));
}

TEST(byte_pipe, a_writer_that_waits_for_room_is_cancelled) {
  TestRuntime runtime;
  EXPECT_GT(cancel_at_every_await(runtime, fill_and_end), 1);
}

}  // namespace
}  // namespace quoll::task
