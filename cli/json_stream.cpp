#include "cli/json_stream.hpp"

#include "task/error.hpp"

namespace quoll::cli {

void JsonStream::feed(std::string_view bytes) {
  buffer_ += bytes;
  if (buffer_.size() > kObjectBytesMax + bytes.size()) {
    throw Error(ErrorClass::kResourceExhausted, "an object of the daemon's answer is too long");
  }
}

std::optional<std::string> JsonStream::next() {
  while (scanned_ < buffer_.size()) {
    const char byte = buffer_[scanned_++];
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (byte == '\\') {
        escaped_ = true;
      } else if (byte == '"') {
        in_string_ = false;
      }
    } else if (byte == '"') {
      in_string_ = true;
    } else if (byte == '{') {
      ++depth_;
    } else if (byte == '}' && depth_ > 0 && --depth_ == 0) {
      std::string object = buffer_.substr(0, scanned_);
      buffer_.erase(0, scanned_);
      scanned_ = 0;
      return object;
    }
  }
  return std::nullopt;
}

}  // namespace quoll::cli
