#include "cli/frame_decoder.hpp"

#include "task/error.hpp"

namespace quoll::cli {

void FrameDecoder::begin_payload() {
  const bool known = header_[0] <= 3 && header_[1] == 0 && header_[2] == 0 && header_[3] == 0;
  if (!known) throw Error(ErrorClass::kUnavailable, "the stream is broken: no frame where one should begin");
  stream_ = static_cast<FrameStream>(header_[0]);
  payload_left_ = 0;
  for (std::size_t index = 4; index < header_.size(); ++index) payload_left_ = payload_left_ << 8 | header_[index];
  header_size_ = 0;
}

void FrameDecoder::feed(std::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    if (payload_left_ > 0) {
      const std::string_view payload = bytes.substr(0, payload_left_);
      sink(stream_, payload);
      payload_left_ -= payload.size();
      bytes.remove_prefix(payload.size());
      continue;
    }
    header_[header_size_++] = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (header_size_ == header_.size()) begin_payload();
  }
}

}  // namespace quoll::cli
