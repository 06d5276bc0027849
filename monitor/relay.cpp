#include "monitor/relay.hpp"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "monitor/attach_protocol.hpp"

namespace quoll::monitor {
namespace {

constexpr std::int64_t kTerminalRestMs = 50;
constexpr int kSendBufferBytes = 256 * 1024;
// Room for the last piece and full pipes, so that the end of a process waits for no client that reads slowly. A socket
// counts as writable when a quarter of its buffer is in use at most.
constexpr int kLastSendBufferBytes = 4 * 1024 * 1024;

bool would_block() { return errno == EAGAIN || errno == EINTR; }

std::size_t add(std::vector<pollfd>& list, int fd, short events) {
  list.push_back({fd, events, 0});
  return list.size();  // one more than its index, so that 0 means none
}

short events_of(const std::vector<pollfd>& list, std::size_t place) {
  return place > 0 ? list[place - 1].revents : static_cast<short>(0);
}

void close_and_forget(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

}  // namespace

std::int64_t monotonic_ms() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

void Relay::add_client(int fd) {
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
  Client client;
  client.fd = fd;
  clients_.push_back(client);
  // A client greets before it does anything else, so the byte is there, and what is written from now on is its to see.
  receive(clients_.back());
}

void Relay::collect(std::vector<pollfd>& list) {
  const bool input_waits = input_end_ > input_begin_;
  const bool rests = output_rests_until_ms_ > monotonic_ms();
  input_poll_ = input_waits && stdio_.input >= 0 ? add(list, stdio_.input, POLLOUT) : 0;
  output_poll_ = piece_size_ == 0 && stdio_.output >= 0 && !rests ? add(list, stdio_.output, POLLIN) : 0;
  error_poll_ = piece_size_ == 0 && stdio_.error >= 0 ? add(list, stdio_.error, POLLIN) : 0;
  for (Client& client : clients_) {
    short events = 0;
    if (!client.input_ended && !input_waits) events |= POLLIN;
    if (client.pending) events |= POLLOUT;
    // One that is gone, and whose last input has to wait, would be reported for nothing at every turn.
    client.poll_at = client.gone && events == 0 ? 0 : add(list, client.fd, events);
  }
}

int Relay::timeout_ms() const {
  if (output_rests_until_ms_ == 0) return -1;
  return static_cast<int>(std::max<std::int64_t>(0, output_rests_until_ms_ - monotonic_ms()) + 1);
}

void Relay::handle(const std::vector<pollfd>& list) {
  for (Client& client : clients_) {
    const short events = events_of(list, client.poll_at);
    if ((events & POLLOUT) != 0 && client.pending) send_piece(client);
    if ((events & POLLIN) != 0) receive(client);
    if ((events & (POLLHUP | POLLERR)) != 0) {
      client.gone = true;
      client.pending = false;
    }
  }
  if (events_of(list, input_poll_) != 0) write_input();
  piece_taken();
  if (events_of(list, output_poll_) != 0) read_output(stdio_.output, 1);
  if (events_of(list, error_poll_) != 0 && piece_size_ == 0) read_output(stdio_.error, 2);
  remove_ended();
}

// False where nothing is there to be read now.
bool Relay::read_output(int& fd, int stream) {
  const ssize_t count = ::read(fd, piece_.data() + kHeaderBytes, kPieceBytes);
  if (count < 0 && would_block()) return false;
  if (count <= 0) {
    // A terminal says so while nobody has it open, which may change for as long as there is a process.
    if (stdio_.terminal && !process_ended_) {
      output_rests_until_ms_ = monotonic_ms() + kTerminalRestMs;
    } else if (stdio_.terminal) {
      close_and_forget(fd);
      stdio_.input = -1;
    } else {
      close_and_forget(fd);
    }
    return false;
  }
  output_rests_until_ms_ = 0;
  const auto size = static_cast<std::size_t>(count);
  log_.write(stream, {piece_.data() + kHeaderBytes, size});
  const auto byte = [size](int shift) { return static_cast<char>(static_cast<std::uint8_t>(size >> shift)); };
  const char header[kHeaderBytes] = {static_cast<char>(stream), 0, 0, 0, byte(24), byte(16), byte(8), byte(0)};
  std::copy_n(header, kHeaderBytes, piece_.data());
  piece_size_ = kHeaderBytes + size;
  piece_stream_ = stream == 2 ? kAttachStderr : kAttachStdout;
  for (Client& client : clients_) offer(client);
  piece_taken();
  return true;
}

void Relay::offer(Client& client) {
  if (client.gone || !client.greeted || (client.flags & piece_stream_) == 0) return;
  client.pending = true;
  client.sent = stdio_.terminal || (client.flags & kAttachRaw) != 0 ? kHeaderBytes : 0;
  send_piece(client);
}

void Relay::send_piece(Client& client) {
  while (client.sent < piece_size_) {
    const ssize_t count =
        ::send(client.fd, piece_.data() + client.sent, piece_size_ - client.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && would_block()) return;
    if (count < 0) {
      client.gone = true;
      break;
    }
    client.sent += static_cast<std::size_t>(count);
  }
  client.pending = false;
}

void Relay::piece_taken() {
  const auto waits = [](const Client& client) { return client.pending; };
  if (std::none_of(clients_.begin(), clients_.end(), waits)) piece_size_ = 0;
}

void Relay::receive(Client& client) {
  if (!client.greeted) {
    const ssize_t count = ::recv(client.fd, &client.flags, 1, MSG_DONTWAIT);
    if (count < 0 && would_block()) return;
    if (count != 1) {
      client.input_ended = client.gone = true;
      return;
    }
    client.greeted = true;
  }
  if (input_end_ > input_begin_ || client.input_ended) return;  // its turn comes
  const ssize_t count = ::recv(client.fd, input_.data(), input_.size(), MSG_DONTWAIT);
  if (count < 0 && would_block()) return;
  if (count <= 0) {
    end_input(client);
    return;
  }
  if ((client.flags & kAttachStdin) == 0 || stdio_.input < 0) return;
  input_begin_ = 0;
  input_end_ = static_cast<std::size_t>(count);
  write_input();
}

void Relay::end_input(Client& client) {
  client.input_ended = true;
  constexpr int kBoth = kAttachStdin | kAttachClosesStdin;
  if ((client.flags & kBoth) != kBoth || stdio_.terminal) return;
  input_closing_ = true;
  if (input_end_ == input_begin_) close_input();
}

void Relay::write_input() {
  while (input_begin_ < input_end_ && stdio_.input >= 0) {
    const ssize_t count = ::write(stdio_.input, input_.data() + input_begin_, input_end_ - input_begin_);
    if (count < 0 && would_block()) return;
    if (count < 0) {
      close_input();
      return;
    }
    input_begin_ += static_cast<std::size_t>(count);
  }
  input_begin_ = input_end_ = 0;
  if (input_closing_) close_input();
}

void Relay::close_input() {
  input_begin_ = input_end_ = 0;
  if (stdio_.terminal) {
    stdio_.input = -1;  // the master is the output's too
  } else {
    close_and_forget(stdio_.input);
  }
}

void Relay::remove_ended() {
  std::erase_if(clients_, [](const Client& client) {
    const bool ended = client.gone && client.input_ended;
    if (ended) ::close(client.fd);
    return ended;
  });
}

void Relay::process_ended() {
  process_ended_ = true;
  for (Client& client : clients_) {
    ::setsockopt(client.fd, SOL_SOCKET, SO_SNDBUFFORCE, &kLastSendBufferBytes, sizeof kLastSendBufferBytes);
    if (client.pending) send_piece(client);
  }
  piece_taken();
}

void Relay::resize(unsigned rows, unsigned columns) {
  winsize size{};
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_col = static_cast<unsigned short>(columns);
  if (stdio_.terminal && stdio_.output >= 0) ::ioctl(stdio_.output, TIOCSWINSZ, &size);
}

void Relay::drain_to_log() {
  drop_clients();
  constexpr int kReadsMax = 64;  // others may have the pipes and write on
  for (int i = 0; i < kReadsMax && stdio_.output >= 0 && read_output(stdio_.output, 1); ++i) continue;
  for (int i = 0; i < kReadsMax && stdio_.error >= 0 && read_output(stdio_.error, 2); ++i) continue;
}

void Relay::drop_clients() {
  for (const Client& client : clients_) ::close(client.fd);
  clients_.clear();
  piece_size_ = 0;
}

}  // namespace quoll::monitor
