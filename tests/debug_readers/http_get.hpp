// One blocking HTTP/1.1 request over loopback, for tests. It shares no code with http/.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace quoll::debug_readers {

struct HttpAnswer {
  int status = 0;
  std::string head;
  std::string body;
  std::string trailers;  // lines behind the last chunk

  // A header's or trailer's value; "" where it is absent.
  std::string header(const std::string& name) const { return field(head, name); }
  std::string trailer(const std::string& name) const { return field("\r\n" + trailers, name); }

 private:
  static std::string field(const std::string& lines, const std::string& name) {
    const std::size_t at = lines.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const std::size_t from = at + name.size() + 4;
    return lines.substr(from, lines.find("\r\n", from) - from);
  }
};

inline int connect_loopback(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // A broken server fails the test instead of hanging it.
  const timeval bound{30, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("connect");
  return fd;
}

inline void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) throw std::runtime_error("send");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

// Chunks of a body that ends with the input.
inline void decode_chunks(std::string_view in, HttpAnswer& answer) {
  while (true) {
    const std::size_t line = in.find("\r\n");
    if (line == std::string_view::npos) throw std::runtime_error("a chunk's size is cut");
    const std::size_t size = std::stoul(std::string(in.substr(0, line)), nullptr, 16);
    in.remove_prefix(line + 2);
    if (size == 0) break;
    if (in.size() < size + 2) throw std::runtime_error("a chunk is cut");
    answer.body.append(in.substr(0, size));
    in.remove_prefix(size + 2);
  }
  answer.trailers = in;
}

inline HttpAnswer http_request(std::uint16_t port, const std::string& method, const std::string& target,
                               const std::string& body = "") {
  const int fd = connect_loopback(port);
  std::string request = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
  if (method == "POST") request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  send_all(fd, request + "\r\n" + body);
  std::string received;
  char buffer[65536];
  ssize_t n = 0;
  while ((n = ::recv(fd, buffer, sizeof buffer, 0)) > 0) received.append(buffer, static_cast<std::size_t>(n));
  ::close(fd);
  if (n < 0) throw std::runtime_error("recv");
  const std::size_t end = received.find("\r\n\r\n");
  if (end == std::string::npos) throw std::runtime_error("no whole head: " + received.substr(0, 200));
  HttpAnswer answer;
  answer.head = received.substr(0, end + 2);
  answer.status = std::stoi(answer.head.substr(9, 3));
  const std::string_view rest = std::string_view(received).substr(end + 4);
  if (method != "HEAD" && answer.header("Transfer-Encoding") == "chunked") {
    decode_chunks(rest, answer);
  } else {
    answer.body = rest;
  }
  return answer;
}

}  // namespace quoll::debug_readers
