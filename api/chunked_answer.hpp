// Streams that a blocking function makes piece by piece: tars, above all.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "http/response.hpp"
#include "task/task.hpp"

namespace quoll::api {

// Puts about `size` bytes into `chunk`, which is empty at the end. Runs on the blocking pool, one call at a time.
using ChunkReader = std::function<void(std::string& chunk, std::size_t size, const std::stop_token& stop)>;

// Sends all that `read` gives. The first piece is there before the headers go out, so what fails at once is answered by
// its status; the next one is made while the one before is sent.
//
// Limits: two chunks in memory.
task::Task<void> send_chunks(http::Response& response, ChunkReader read, std::string_view content_type);

}  // namespace quoll::api
