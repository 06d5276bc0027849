#include "api/chunked_answer.hpp"

#include "task/blocking.hpp"
#include "task/combine.hpp"

namespace quoll::api {
namespace {

constexpr std::size_t kChunkBytes = 512 * 1024;

task::Task<void> read_chunk(const ChunkReader* read, std::string* chunk) {
  co_await task::blocking([read, chunk](const std::stop_token& stop) {
    chunk->clear();
    (*read)(*chunk, kChunkBytes, stop);
  });
}

task::Task<void> write_chunk(http::Response* response, const std::string* chunk) { co_await response->write(*chunk); }

}  // namespace

task::Task<void> send_chunks(http::Response& response, ChunkReader read, std::string_view content_type) {
  std::string current;
  std::string next;
  co_await read_chunk(&read, &current);
  response.expect_bulk();
  co_await response.start_stream(content_type);
  while (!current.empty()) {
    co_await task::when_all(write_chunk(&response, &current), read_chunk(&read, &next));
    current.swap(next);
  }
}

}  // namespace quoll::api
