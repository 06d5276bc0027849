// FrameDecoder: takes Docker's multiplexed streams apart.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace quoll::cli {

enum class FrameStream : std::uint8_t { kStdin = 0, kStdout = 1, kStderr = 2, kSystemError = 3 };

// A frame is [stream, 0, 0, 0, length as 32 bits big endian] and that many bytes. The pieces that are fed may end
// anywhere, and payloads are handed on as they come, so that no frame is ever held in memory.
class FrameDecoder {
 public:
  // The view is valid during the call.
  using Sink = std::function<void(FrameStream, std::string_view)>;

  // Errors: Error{kUnavailable} for what is no frame; nothing behind it can be understood.
  void feed(std::string_view bytes, const Sink& sink);
  // True between two frames: where a stream may end.
  bool at_boundary() const { return header_size_ == 0 && payload_left_ == 0; }

 private:
  void begin_payload();

  std::array<unsigned char, 8> header_{};
  std::size_t header_size_ = 0;
  std::size_t payload_left_ = 0;
  FrameStream stream_ = FrameStream::kStdout;
};

}  // namespace quoll::cli
