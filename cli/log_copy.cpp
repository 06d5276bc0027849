#include "cli/log_copy.hpp"

#include <memory>

#include "cli/frame_decoder.hpp"
#include "task/error.hpp"

namespace quoll::cli {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;

// Successive frames of one stream are written at once: a frame is a line, and a system call for each would be slow.
struct Piece {
  FrameStream stream;
  std::string bytes;
};

task::Task<void> write_pieces(Context& context, const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces) {
    if (piece.stream == FrameStream::kSystemError) {
      throw Error(ErrorClass::kInternal, "the daemon cannot read the log: " + piece.bytes);
    }
    Output& target = piece.stream == FrameStream::kStderr ? context.error : context.out;
    co_await target.write(piece.bytes);
  }
}

}  // namespace

task::Task<void> copy_log(Context& context, http::ClientResponse& response) {
  const bool framed = response.header("Content-Type") == "application/vnd.docker.multiplexed-stream";
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  FrameDecoder decoder;
  std::vector<Piece> pieces;
  const FrameDecoder::Sink collect = [&pieces](FrameStream stream, std::string_view payload) {
    if (pieces.empty() || pieces.back().stream != stream) pieces.push_back({stream, ""});
    pieces.back().bytes += payload;
  };
  while (const std::size_t count = co_await response.read_body({buffer.get(), kBufferBytes})) {
    const std::string_view bytes(buffer.get(), count);
    if (!framed) {
      co_await context.out.write(bytes);
      continue;
    }
    pieces.clear();
    decoder.feed(bytes, collect);
    co_await write_pieces(context, pieces);
  }
  if (!decoder.at_boundary()) throw Error(ErrorClass::kUnavailable, "the log ended in the middle of a frame");
}

}  // namespace quoll::cli
