#include "api/download.hpp"

#include <memory>
#include <optional>

#include "task/blocking.hpp"
#include "task/byte_pipe.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using task::Task;

constexpr std::size_t kBodyBufferBytes = 128 * 1024;

Task<void> feed_body(const DownloadReader* read, task::BytePipe* pipe) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBodyBufferBytes);
  try {
    while (const std::size_t bytes = co_await (*read)({buffer.get(), kBodyBufferBytes})) {
      co_await pipe->write({buffer.get(), bytes});
    }
  } catch (...) {
    pipe->break_off();
    throw;
  }
  pipe->close();
}

Task<std::optional<Error>> consume_pipe(const http::BodyConsumer* consume, task::BytePipe* pipe) {
  std::optional<Error> failure;
  try {
    co_await task::blocking_at_peers_pace([=](const std::stop_token& stop) {
      (*consume)([pipe](std::span<char> buffer) { return pipe->read(buffer); }, stop);
    });
  } catch (const Error& error) {
    failure = error;
  }
  pipe->end_reading();
  co_return failure;
}

}  // namespace

Task<void> consume_download(DownloadReader read, http::BodyConsumer consume) {
  task::BytePipe pipe;
  const auto [nothing, failure] = co_await task::when_all(feed_body(&read, &pipe), consume_pipe(&consume, &pipe));
  if (failure) throw *failure;
}

}  // namespace quoll::api
