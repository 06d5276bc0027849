// WebSocket (RFC 6455), the server's side, as far as an attach needs it: no extensions, and a message's ends mean
// nothing.
#pragma once

#include <cstdint>
#include <string>

#include "api/client_stream.hpp"
#include "http/request.hpp"
#include "http/response.hpp"

namespace quoll::api {

// The value of Sec-WebSocket-Accept for a client's key.
std::string websocket_accept(std::string_view key);

// Takes the frames that a client sends apart.
//
// Errors: feed() throws kInvalidArgument for what a client may not send; nothing behind it can be understood.
class WebSocketDecoder {
 public:
  // Appends to `data` what is in text and binary frames, and to `replies` the frames that must be answered with (pong,
  // close). False once the client has closed.
  bool feed(std::string_view bytes, std::string& data, std::string& replies);

 private:
  static constexpr std::size_t kControlBytesMax = 125;

  bool parse_head(std::string_view& bytes);
  void end_control(std::string& replies);

  std::string head_;  // of the present frame, while it is not whole
  bool in_frame_ = false;
  std::uint8_t opcode_ = 0;
  std::uint64_t left_ = 0;  // of its payload
  std::uint8_t mask_[4] = {};
  unsigned mask_at_ = 0;
  std::string control_;  // the payload of a control frame
  bool closed_ = false;
};

// The head of an unmasked frame of `size` bytes.
std::string websocket_frame_head(std::uint8_t opcode, std::size_t size);

class WebSocketStream final : public ClientStream {
 public:
  // Answers the handshake. Errors: kInvalidArgument where the request is none.
  static task::Task<http::HijackedStream> accept(http::Request& request, http::Response& response);

  // `binary`: as API 1.28 and newer send output; older ones as text.
  WebSocketStream(http::HijackedStream stream, bool binary) : stream_(stream), binary_(binary) {}
  task::Task<std::size_t> read_some(std::span<char> buffer) override;
  task::Task<void> write(std::string_view bytes) override;
  // Tells the client that nothing more will come.
  task::Task<void> close();

 private:
  http::HijackedStream stream_;
  const bool binary_;
  WebSocketDecoder decoder_;
  std::string data_;     // decoded, and not given out yet
  std::string replies_;  // to go in front of the next output
  bool open_ = true;
};

}  // namespace quoll::api
