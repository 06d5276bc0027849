#include "api/websocket.hpp"

#include <openssl/evp.h>

#include <algorithm>

#include "task/error.hpp"

namespace quoll::api {
namespace {

enum Opcode : std::uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::size_t kReadBytes = 16 * 1024;

std::size_t head_size(std::uint8_t second) {
  const std::uint8_t size = second & 0x7f;
  return 2 + (size == 126 ? 2 : size == 127 ? 8 : 0) + 4;
}

}  // namespace

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr) != 1) {
    throw Error(ErrorClass::kInternal, "SHA-1 is not to be had");
  }
  unsigned char encoded[64];
  const int length = EVP_EncodeBlock(encoded, digest, static_cast<int>(size));
  return std::string(reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(length));
}

std::string websocket_frame_head(std::uint8_t opcode, std::size_t size) {
  std::string head{static_cast<char>(kFinal | opcode)};
  const int bytes = size < 126 ? 0 : size <= 0xffff ? 2 : 8;
  head += static_cast<char>(bytes == 0 ? size : bytes == 2 ? 126 : 127);
  for (int shift = 8 * (bytes - 1); shift >= 0 && bytes > 0; shift -= 8) head += static_cast<char>(size >> shift);
  return head;
}

// True once the head is whole.
bool WebSocketDecoder::parse_head(std::string_view& bytes) {
  while (!bytes.empty() && (head_.size() < 2 || head_.size() < head_size(static_cast<std::uint8_t>(head_[1])))) {
    head_ += bytes.front();
    bytes.remove_prefix(1);
  }
  const auto byte = [this](std::size_t at) { return static_cast<std::uint8_t>(head_[at]); };
  if (head_.size() < 2 || head_.size() < head_size(byte(1))) return false;
  opcode_ = byte(0) & 0x0f;
  left_ = byte(1) & 0x7f;
  const bool control = opcode_ >= kClose;
  const bool known = opcode_ <= kBinary || (opcode_ >= kClose && opcode_ <= kPong);
  if ((byte(0) & 0x70) != 0 || (byte(1) & kMasked) == 0 || !known ||
      (control && (left_ > kControlBytesMax || (byte(0) & kFinal) == 0))) {
    throw Error(ErrorClass::kInvalidArgument, "malformed WebSocket frame");
  }
  const std::size_t mask = head_.size() - 4;
  if (mask > 2) left_ = 0;
  for (std::size_t at = 2; at < mask; ++at) left_ = left_ << 8 | byte(at);
  for (std::size_t at = 0; at < 4; ++at) mask_[at] = byte(mask + at);
  mask_at_ = 0;
  head_.clear();
  control_.clear();
  in_frame_ = true;
  return true;
}

void WebSocketDecoder::end_control(std::string& replies) {
  if (opcode_ == kPing) replies += websocket_frame_head(kPong, control_.size()) + control_;
  if (opcode_ != kClose) return;
  closed_ = true;
  const std::string code = control_.substr(0, 2);
  replies += websocket_frame_head(kClose, code.size()) + code;
}

bool WebSocketDecoder::feed(std::string_view bytes, std::string& data, std::string& replies) {
  while (!closed_ && (!bytes.empty() || (in_frame_ && left_ == 0))) {
    if (!in_frame_ && !parse_head(bytes)) break;
    std::string& into = opcode_ >= kClose ? control_ : data;
    const std::size_t count = std::min<std::uint64_t>(left_, bytes.size());
    for (const char byte : bytes.substr(0, count)) {
      into += static_cast<char>(static_cast<std::uint8_t>(byte) ^ mask_[mask_at_++ % 4]);
    }
    bytes.remove_prefix(count);
    left_ -= count;
    if (left_ > 0) continue;
    in_frame_ = false;
    if (opcode_ >= kClose) end_control(replies);
  }
  return !closed_;
}

task::Task<http::HijackedStream> WebSocketStream::accept(http::Request& request, http::Response& response) {
  const std::string_view key = request.header("Sec-WebSocket-Key");
  if (!http::equals_ignoring_case(request.header("Upgrade"), "websocket") || key.empty() ||
      request.header("Sec-WebSocket-Version") != "13") {
    throw Error(ErrorClass::kInvalidArgument, "not a WebSocket handshake of version 13");
  }
  response.set_header("Sec-WebSocket-Accept", websocket_accept(key));
  co_return co_await response.hijack("application/vnd.docker.raw-stream");
}

task::Task<std::size_t> WebSocketStream::read_some(std::span<char> buffer) {
  char bytes[kReadBytes];
  while (data_.empty() && open_) {
    const std::size_t count = co_await stream_.read_some(bytes);
    if (count == 0) co_return 0;
    open_ = decoder_.feed({bytes, count}, data_, replies_);
  }
  const std::size_t count = std::min(buffer.size(), data_.size());
  std::copy_n(data_.data(), count, buffer.data());
  data_.erase(0, count);
  co_return count;
}

task::Task<void> WebSocketStream::write(std::string_view bytes) {
  const std::string replies = std::exchange(replies_, "");
  const std::string head = websocket_frame_head(binary_ ? kBinary : kText, bytes.size());
  const std::string_view parts[] = {replies, head, bytes};
  co_await stream_.write(std::span(parts));
}

task::Task<void> WebSocketStream::close() {
  const std::string replies = std::exchange(replies_, "");
  const std::string frame = replies + (open_ ? websocket_frame_head(kClose, 0) : "");
  if (!frame.empty()) co_await stream_.write(frame);
}

}  // namespace quoll::api
