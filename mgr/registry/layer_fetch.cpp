#include "mgr/registry/layer_fetch.hpp"

#include <fcntl.h>

#include <atomic>

#include "mgr/image/digest.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/image/layer_directory.hpp"
#include "mgr/registry/blob_download.hpp"
#include "task/byte_pipe.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

// What the task and the thread of one layer work on.
struct Work {
  Work(const LayerFetch& of, Progress& to) : layer(of), progress(to) {}

  const LayerFetch& layer;
  Progress& progress;
  task::BytePipe pipe;
  UniqueFd file;
  Sha256 digest;
  std::int64_t written = 0;
  std::atomic<bool> downloaded = false;
};

void keep(Work& work, std::span<const char> bytes) {
  work.digest.update(bytes);
  const std::int64_t before = work.written;
  work.written += static_cast<std::int64_t>(bytes.size());
  reserve_ahead(work.file.get(), before, work.written, work.layer.blob.size);
  write_all(work.file.get(), bytes, work.layer.blob.digest);
  start_writeback(work.file.get(), before, work.written);
}

task::Task<void> take_bytes(Work* work, std::span<const char> bytes) {
  co_await task::blocking([work, bytes] { keep(*work, bytes); });
  work->progress.row(work->layer.row, "Downloading", work->written, work->layer.blob.size);
  co_await work->pipe.write({bytes.data(), bytes.size()});
}

void finish_blob(Work& work) {
  if (const std::string actual = work.digest.finish_digest(); actual != work.layer.blob.digest) {
    throw Error(ErrorClass::kInvalidArgument, "filesystem layer verification failed for digest " +
                                                  work.layer.blob.digest + ": the content is " + actual);
  }
  sync_file(work.file.get(), work.layer.blob.digest);
}

// What the unpacking half found: a layer, or why the bytes are none.
struct Unpacked {
  LayerContent content;
  std::exception_ptr refused;
};

// The downloading half.
task::Task<void> download(RegistrySession* session, Work* work) {
  const LayerFetch& layer = work->layer;
  try {
    co_await download_blob(
        *session, layer.blob, [work](std::span<const char> bytes) { return take_bytes(work, bytes); },
        [work](int seconds) {
          work->progress.row(work->layer.row,
                             "Retrying in " + std::to_string(seconds) + (seconds == 1 ? " second" : " seconds"));
        });
    work->pipe.close();
    work->progress.row(layer.row, "Verifying Checksum");
    co_await task::blocking([work] { finish_blob(*work); });
    work->progress.row(layer.row, "Download complete");
    work->downloaded = true;
  } catch (...) {
    work->pipe.break_off();
    throw;
  }
}

// The unpacking half, on a thread of its own. Its reports begin when the download's have ended.
LayerContent unpack(Work& work, const std::stop_token& stop) {
  const LayerFetch& layer = work.layer;
  std::int64_t taken = 0;
  const auto source = [&work, &layer, &taken](std::span<char> buffer) {
    const std::size_t count = work.pipe.read(buffer);
    taken += static_cast<std::int64_t>(count);
    if (work.downloaded) work.progress.row(layer.row, "Extracting", taken, layer.blob.size);
    return count;
  };
  struct EndReading {
    task::BytePipe& pipe;
    ~EndReading() { pipe.end_reading(); }
  } const end{work.pipe};
  LayerContent content;
  if (layer.unpack) {
    const UniqueFd root = make_layer_directory(layer.layer_directory);
    content = unpack_layer(source, root.get(), stop, layer.plain_bytes_max);
  } else {
    content.diff_id = layer_diff_id(source, stop, layer.plain_bytes_max);
  }
  check_diff_id(layer.diff_id, content.diff_id);
  return content;
}

// Bytes that cannot be unpacked are mostly not the bytes that were asked for, and only the blob's digest tells: so what
// is wrong with them is kept until the download has come to its end (which the descriptor's size bounds) and was
// verified. What is wrong here (no room, a cancel) ends the download too.
Unpacked unpack_or_refuse(Work& work, const std::stop_token& stop) {
  try {
    return {unpack(work, stop), nullptr};
  } catch (const Error& error) {
    if (error.error_class() == ErrorClass::kResourceExhausted || error.error_class() == ErrorClass::kCancelled) throw;
    return {{}, std::current_exception()};
  }
}

task::Task<Unpacked> unpack_beside(Work* work) {
  co_return co_await task::blocking_at_peers_pace(
      [work](std::stop_token stop) { return unpack_or_refuse(*work, stop); });
}

}  // namespace

task::Task<void> fetch_layer(RegistrySession& session, StorePin& pin, Progress& progress, LayerFetch layer) {
  Work work(layer, progress);
  work.file = co_await task::blocking([&] { return open_file(layer.blob_file, O_WRONLY | O_CREAT | O_EXCL); });
  const auto [downloaded, unpacked] = co_await task::when_all(download(&session, &work), unpack_beside(&work));
  if (unpacked.refused) std::rethrow_exception(unpacked.refused);
  co_await task::blocking([&] {
    pin.put_blob(layer.blob.digest, layer.blob_file);
    if (layer.unpack) pin.put_layer(layer.chain_id, layer.diff_id, unpacked.content.size, layer.layer_directory);
  });
}

}  // namespace quoll::mgr
