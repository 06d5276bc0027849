#include "mgr/registry/blob_download.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "mgr/image/digest.hpp"
#include "mgr/registry/registry_error.hpp"
#include "task/error.hpp"
#include "task/timer.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr auto kFirstPause = std::chrono::milliseconds(250);
// What counts as progress: a registry that breaks off after each byte is not asked for ever.
constexpr std::int64_t kProgressBytes = 1024 * 1024;

[[noreturn]] void refuse_size(const ContentDescriptor& descriptor, const std::string& got) {
  throw Error(ErrorClass::kInvalidArgument, "blob " + descriptor.digest + ": wrong length: expected " +
                                                std::to_string(descriptor.size) + " bytes, got " + got);
}

// The number of body bytes that the answer announces; -1 where it does not.
std::int64_t announced_length(const RegistryAnswer& answer) {
  const std::string_view text = answer.header("Content-Length");
  std::int64_t length = -1;
  std::from_chars(text.data(), text.data() + text.size(), length);
  return length;
}

// Where the bytes of a 206 begin: "bytes 100-199/200".
std::int64_t range_start(const RegistryAnswer& answer) {
  std::string_view text = answer.header("Content-Range");
  if (!text.starts_with("bytes ")) return -1;
  text.remove_prefix(6);
  std::int64_t start = -1;
  std::from_chars(text.data(), text.data() + text.size(), start);
  return start;
}

// One attempt, from *offset on; moves it.
task::Task<void> attempt(RegistrySession& session, const ContentDescriptor& descriptor, const BlobSink& sink,
                         std::span<char> buffer, std::int64_t* offset) {
  http::HeaderList headers;
  if (*offset > 0) headers.emplace_back("Range", "bytes=" + std::to_string(*offset) + "-");
  RegistryAnswer answer = co_await session.get(session.url("blobs/" + descriptor.digest), std::move(headers));
  if (answer.status() != 200 && answer.status() != 206) throw co_await registry_error(std::move(answer));
  // A server that does not know ranges begins at the beginning again.
  std::int64_t position = answer.status() == 206 ? *offset : 0;
  if (answer.status() == 206 && range_start(answer) != *offset) {
    throw Error(ErrorClass::kUnavailable, "blob " + descriptor.digest + ": the registry sent another range than asked");
  }
  const std::int64_t announced = announced_length(answer);
  if (announced >= 0 && announced != descriptor.size - position) {
    refuse_size(descriptor, std::to_string(position + announced));
  }
  while (true) {
    std::size_t filled = 0;
    std::exception_ptr broken;
    try {
      while (filled < buffer.size()) {
        const std::size_t count = co_await answer.read(buffer.subspan(filled));
        if (count == 0) break;
        filled += count;
      }
    } catch (const Error& error) {
      if (error.error_class() != ErrorClass::kUnavailable) throw;
      broken = std::current_exception();  // what has come counts all the same
    }
    const std::int64_t end = position + static_cast<std::int64_t>(filled);
    if (end > descriptor.size) refuse_size(descriptor, "more");
    if (end > *offset) {
      const std::size_t known = static_cast<std::size_t>(std::max<std::int64_t>(*offset - position, 0));
      co_await sink(std::span<const char>(buffer).subspan(known, filled - known));
      *offset = end;
    }
    position = end;
    if (broken) std::rethrow_exception(broken);
    if (filled < buffer.size()) break;
  }
  if (*offset < descriptor.size) {
    // Without a length of its own, an answer that was cut off looks like one that has ended.
    if (announced < 0) throw Error(ErrorClass::kUnavailable, "blob " + descriptor.digest + ": the answer ended early");
    refuse_size(descriptor, std::to_string(*offset));
  }
}

}  // namespace

task::Task<void> download_blob(RegistrySession& session, ContentDescriptor descriptor, BlobSink sink,
                               RetryNotice on_retry) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(kPieceBytes);
  std::int64_t offset = 0;
  std::int64_t offset_before = 0;
  int failures = 0;
  while (true) {
    try {
      co_await attempt(session, descriptor, sink, {buffer.get(), kPieceBytes}, &offset);
      co_return;
    } catch (const Error& error) {
      if (error.error_class() != ErrorClass::kUnavailable) throw;
      if (offset - offset_before >= kProgressBytes) failures = 0;
      offset_before = offset;
      if (++failures >= kDownloadAttemptsMax) throw;
    }
    const auto pause = kFirstPause * (1 << (failures - 1));
    if (on_retry) on_retry(static_cast<int>(std::chrono::ceil<std::chrono::seconds>(pause).count()));
    co_await task::sleep_for(pause);
  }
}

task::Task<std::string> download_small_blob(RegistrySession& session, ContentDescriptor descriptor,
                                            std::int64_t size_max) {
  if (descriptor.size > size_max) {
    throw Error(ErrorClass::kInvalidArgument,
                "blob " + descriptor.digest + " is larger than " + std::to_string(size_max) + " bytes");
  }
  struct Append {
    static task::Task<void> to(std::string* text, std::span<const char> bytes) {
      text->append(bytes.data(), bytes.size());
      co_return;
    }
  };
  std::string text;
  co_await download_blob(session, descriptor, [&text](std::span<const char> bytes) { return Append::to(&text, bytes); },
                         {});
  if (const std::string actual = sha256_digest(text); actual != descriptor.digest) {
    throw Error(ErrorClass::kInvalidArgument,
                "blob " + descriptor.digest + ": digest mismatch, the content is " + actual);
  }
  co_return text;
}

}  // namespace quoll::mgr
