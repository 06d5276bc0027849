#include "http/client_connection.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "http/gather.hpp"
#include "http/listen.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::http {
namespace {

constexpr std::size_t kHeadMax = 64 * 1024;
constexpr std::size_t kReadMax = 64 * 1024;
constexpr std::size_t kVectorsMax = 16;

Error unavailable(int errno_value, const std::string& what) {
  return Error(ErrorClass::kUnavailable, what + ": " + system_error(errno_value, "").message().substr(2));
}

// Waits for the handshake; 0 or an errno.
task::Task<int> finish_connect(task::AsyncFd& fd) {
  co_await fd.writable();
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  co_return error;
}

// Closes nothing that it gives back: AsyncFd owns its descriptor, so a second one for the same socket is made.
task::Task<int> await_connected(const UniqueFd& fd) {
  task::AsyncFd watched(UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)));
  co_return co_await finish_connect(watched);
}

struct Resolved {
  addrinfo* list = nullptr;
  int error = 0;
  ~Resolved() {
    if (list != nullptr) ::freeaddrinfo(list);
  }
};

void resolve(const std::string& host, std::uint16_t port, Resolved* resolved) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  resolved->error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &resolved->list);
}

}  // namespace

task::Task<UniqueFd> connect_unix(std::string path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    throw Error(ErrorClass::kInvalidArgument, path + ": socket path is longer than 107 bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw system_error(errno, "socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw unavailable(errno, "connect to " + path);
  }
  co_return fd;
}

task::Task<UniqueFd> connect_tcp(std::string host, std::uint16_t port) {
  Resolved resolved;
  co_await task::blocking([&] { resolve(host, port, &resolved); });
  const std::string name = host + ":" + std::to_string(port);
  if (resolved.error != 0) {
    throw Error(ErrorClass::kUnavailable, "look up " + host + ": " + ::gai_strerror(resolved.error));
  }
  int error = ECONNREFUSED;
  for (const addrinfo* each = resolved.list; each != nullptr; each = each->ai_next) {
    UniqueFd fd(::socket(each->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) throw system_error(errno, "socket");
    set_tcp_options(fd.get());
    error = ::connect(fd.get(), each->ai_addr, each->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) error = co_await await_connected(fd);
    if (error == 0) co_return fd;
  }
  throw unavailable(error, "connect to " + name);
}

task::Task<void> ClientConnection::start_tls(const TlsContext& context, std::string host) {
  tls_ = std::make_unique<TlsStream>(fd_, context);
  co_await tls_->handshake(std::move(host));
}

task::Task<void> ClientConnection::write(std::span<const std::string_view> parts) {
  if (tls_) {
    for (const std::string_view part : parts) co_await tls_->write_all(part);
    co_return;
  }
  Gather out({}, parts);
  while (!out.empty()) {
    iovec vectors[kVectorsMax];
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = static_cast<std::size_t>(out.fill(vectors));
    const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      out.consume(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      co_await fd_.writable();
    } else if (errno != EINTR) {
      throw unavailable(errno, "write to the server");
    }
  }
}

task::Task<bool> ClientConnection::receive() {
  const std::span<char> room = input_.room(kReadMax);
  if (tls_) {
    const std::size_t count = co_await tls_->read_some(room);
    input_.commit(count);
    co_return count > 0;
  }
  while (true) {
    const ssize_t count = ::recv(fd_.get(), room.data(), room.size(), MSG_DONTWAIT);
    if (count > 0) {
      input_.commit(static_cast<std::size_t>(count));
      co_return true;
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) co_return false;
    if (errno == EAGAIN) co_await fd_.readable();
  }
}

// False where the server has closed meanwhile: it may have answered first, so that is no failure yet.
task::Task<bool> ClientConnection::send(const ClientRequest& request, std::string_view head) {
  try {
    const std::string_view whole[] = {head, request.body};
    co_await write(std::span(whole).first(request.body_producer ? 1 : 2));
    if (!request.body_producer) co_return true;
    std::string block(kReadMax, '\0');
    while (const std::size_t count = co_await request.body_producer(block)) {
      char size[24];
      char* const end = std::to_chars(size, size + sizeof(size), count, 16).ptr;
      const std::string_view chunk[] = {{size, end}, "\r\n", {block.data(), count}, "\r\n"};
      co_await write(chunk);
    }
    const std::string_view last[] = {"0\r\n\r\n"};
    co_await write(last);
    co_return true;
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kUnavailable) throw;
  }
  co_return false;
}

task::Task<std::optional<ClientResponse>> ClientConnection::exchange(const ClientRequest& request,
                                                                     std::string_view head) {
  state_ = State::kBroken;  // until the answer has come
  has_no_body_ = request.method == "HEAD" || request.method == "CONNECT";
  const bool sent = co_await send(request, head);
  bool any = false;
  while (true) {
    parser_.reset();
    head_.emplace();
    parser_.emplace(*head_, kHeadMax);
    if (has_no_body_) parser_->skip_body();
    while (!parser_->head_done() && parser_->failure().status == 0) {
      const std::size_t taken = input_.empty() ? 0 : parser_->parse_head(input_.bytes());
      input_.consume(taken);
      if (parser_->head_done() || parser_->failure().status != 0) break;
      if (!co_await receive()) {
        if (!any && input_.empty()) co_return std::nullopt;
        throw Error(ErrorClass::kUnavailable, "the server closed the connection");
      }
      any = true;
    }
    if (parser_->failure().status != 0) throw Error(ErrorClass::kUnavailable, "malformed answer");
    if (head_->status / 100 != 1 || head_->status == 101) break;
  }
  ClientResponse response;
  response.connection_ = this;
  response.status_ = head_->status;
  response.reason_ = std::move(head_->text);
  response.fields_ = std::move(head_->fields);
  state_ = sent ? State::kBusy : State::kBroken;
  if (parser_->done() && head_->status != 101) end_answer();
  co_return response;
}

void ClientConnection::end_answer() {
  if (state_ == State::kBusy) state_ = parser_->keep_alive() ? State::kIdle : State::kBroken;
}

task::Task<std::size_t> ClientConnection::read_body(ClientResponse& response, std::span<char> buffer) {
  head_->trailers = &response.trailers_;
  while (!parser_->done() && !buffer.empty()) {
    std::size_t count = 0;
    const std::size_t taken = parser_->parse_body(input_.bytes(), buffer, &count);
    input_.consume(taken);
    if (parser_->failure().status != 0) throw Error(ErrorClass::kUnavailable, "malformed answer");
    if (count > 0) co_return count;
    if (taken > 0) continue;
    if (input_.size() >= kReadMax) throw Error(ErrorClass::kUnavailable, "malformed answer");
    if (co_await receive()) continue;
    state_ = State::kBroken;
    if (!parser_->end_of_input()) throw Error(ErrorClass::kUnavailable, "the answer ended early");
    co_return 0;
  }
  if (parser_->done()) end_answer();
  co_return 0;
}

task::Task<std::size_t> ClientConnection::read_raw(std::span<char> buffer) {
  state_ = State::kBroken;  // for further requests
  if (input_.empty() && !co_await receive()) co_return 0;
  const std::string_view bytes = input_.bytes().substr(0, buffer.size());
  bytes.copy(buffer.data(), bytes.size());
  input_.consume(bytes.size());
  co_return bytes.size();
}

void ClientConnection::shutdown_write() { ::shutdown(fd_.get(), SHUT_WR); }

}  // namespace quoll::http
