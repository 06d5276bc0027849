// Downloads that a blocking function takes while they come.
#pragma once

#include <functional>
#include <span>

#include "http/request.hpp"
#include "task/task.hpp"

namespace quoll::api {

// The next bytes of a download, 0 at its end.
using DownloadReader = std::function<task::Task<std::size_t>(std::span<char>)>;

// Runs `consume`, which blocks, while the bytes come, at their sender's pace and in bounded memory. Reads to the end
// even where `consume` has ended.
//
// Cancel: `consume` gets kCancelled from its source and has ended.
// Errors: what `read` throws; else what `consume` throws.
task::Task<void> consume_download(DownloadReader read, http::BodyConsumer consume);

}  // namespace quoll::api
