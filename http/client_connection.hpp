// ClientConnection: one socket of a Client. For the client's files only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/client.hpp"
#include "http/input_buffer.hpp"
#include "http/message_parser.hpp"
#include "http/tls.hpp"
#include "task/fd.hpp"

namespace quoll::http {

// Errors: Error{kUnavailable}, which names the address.
task::Task<UniqueFd> connect_unix(std::string path);
task::Task<UniqueFd> connect_tcp(std::string host, std::uint16_t port);

// Thread: the worker it was made on.
class ClientConnection {
 public:
  explicit ClientConnection(UniqueFd fd) : fd_(std::move(fd)) {}
  // Encrypts all that follows. REQUIRES: nothing sent yet.
  task::Task<void> start_tls(const TlsContext& context, std::string host);

  // Whether another request may be sent.
  bool is_idle() const { return state_ == State::kIdle; }
  // Sends the request and reads the answer's head. Nothing where the server closed before its first byte.
  task::Task<std::optional<ClientResponse>> exchange(const ClientRequest& request, std::string_view head);
  task::Task<std::size_t> read_body(ClientResponse& response, std::span<char> buffer);
  task::Task<std::size_t> read_raw(std::span<char> buffer);
  task::Task<void> write(std::span<const std::string_view> parts);
  void shutdown_write();

 private:
  enum class State : std::uint8_t { kIdle, kBusy, kBroken };

  task::Task<bool> receive();  // false at the end
  task::Task<bool> send(const ClientRequest& request, std::string_view head);
  void end_answer();

  task::AsyncFd fd_;
  std::unique_ptr<TlsStream> tls_;  // null: plain
  InputBuffer input_;
  std::optional<MessageHead> head_;
  std::optional<ResponseParser> parser_;
  bool has_no_body_ = false;  // the answer, whatever its head says
  State state_ = State::kIdle;
};

}  // namespace quoll::http
