#include "mgr/image/layer_unpacker.hpp"

#include <memory>
#include <vector>

#include "mgr/image/decompressor.hpp"
#include "mgr/image/digest.hpp"
#include "mgr/image/tar_reader.hpp"
#include "mgr/image/tree_writer.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kDrainSize = 64 * 1024;

// The uncompressed stream, digested while it passes.
class DigestedStream {
 public:
  DigestedStream(ByteSource source, std::stop_token stop, std::int64_t bytes_max)
      : plain_(std::move(source)), stop_(std::move(stop)), bytes_max_(bytes_max) {}

  std::size_t read(std::span<char> buffer) {
    throw_if_stopped(stop_);
    const std::size_t got = plain_.read(buffer);
    digest_.update(buffer.first(got));
    bytes_ += static_cast<std::int64_t>(got);
    if (bytes_max_ != 0 && bytes_ > bytes_max_) {
      throw Error(ErrorClass::kInvalidArgument,
                  "the uncompressed layer is larger than " + std::to_string(bytes_max_) + " bytes");
    }
    return got;
  }

  // The tar reader stops at the end mark, but the diff id covers the padding behind it as well.
  std::string finish() {
    std::vector<char> buffer(kDrainSize);
    while (read(buffer) != 0) {
    }
    return digest_.finish_digest();
  }

 private:
  Decompressor plain_;
  std::stop_token stop_;
  const std::int64_t bytes_max_;  // 0: none
  std::int64_t bytes_ = 0;
  Sha256 digest_;
};

}  // namespace

void throw_if_stopped(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(ErrorClass::kCancelled, "image operation cancelled");
}

LayerContent unpack_layer(ByteSource source, int root_fd, std::stop_token stop, std::int64_t plain_bytes_max) {
  DigestedStream stream(std::move(source), stop, plain_bytes_max);
  TarReader reader([&stream](std::span<char> buffer) { return stream.read(buffer); }, OuterCompression::kNone);
  TreeWriter writer(root_fd, {.layer = true});
  while (reader.next()) {
    throw_if_stopped(stop);
    writer.add(reader.entry(), reader);
  }
  writer.finish();
  return {stream.finish(), writer.size()};
}

std::int64_t unpack_plain_layer(ByteSource source, int root_fd, std::stop_token stop) {
  TarReader reader(std::move(source), OuterCompression::kNone);
  TreeWriter writer(root_fd, {.layer = true});
  while (reader.next()) {
    throw_if_stopped(stop);
    writer.add(reader.entry(), reader);
  }
  writer.finish();
  return writer.size();
}

std::string layer_diff_id(ByteSource source, std::stop_token stop, std::int64_t plain_bytes_max) {
  return DigestedStream(std::move(source), std::move(stop), plain_bytes_max).finish();
}

}  // namespace quoll::mgr
