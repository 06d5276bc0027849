#include "mgr/image/layer_unpacker.hpp"

#include <memory>
#include <vector>

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
  DigestedStream(ByteSource source, std::stop_token stop) : plain_(std::move(source)), stop_(std::move(stop)) {}

  std::size_t read(std::span<char> buffer) {
    throw_if_stopped(stop_);
    const std::size_t got = plain_.read(buffer);
    digest_.update(buffer.first(got));
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
  Sha256 digest_;
};

}  // namespace

void throw_if_stopped(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error(ErrorClass::kCancelled, "image operation cancelled");
}

LayerContent unpack_layer(ByteSource source, int root_fd, std::stop_token stop) {
  DigestedStream stream(std::move(source), stop);
  TarReader reader([&stream](std::span<char> buffer) { return stream.read(buffer); }, OuterCompression::kNone);
  TreeWriter writer(root_fd, {.layer = true});
  while (reader.next()) {
    throw_if_stopped(stop);
    writer.add(reader.entry(), reader);
  }
  writer.finish();
  return {stream.finish(), writer.size()};
}

std::string layer_diff_id(ByteSource source, std::stop_token stop) {
  return DigestedStream(std::move(source), std::move(stop)).finish();
}

}  // namespace quoll::mgr
