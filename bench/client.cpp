#include "bench/client.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace bench {

void fail(const std::string& what) {
  std::fprintf(stderr, "bench: %s\n", what.c_str());
  std::exit(1);
}

void fail_errno(const std::string& what) { fail(what + ": " + std::strerror(errno)); }

Arguments::Arguments(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      words_.push_back(word);
    } else if (i + 1 < argc) {
      values_[word.substr(2)] = argv[++i];
    } else {
      fail(word + " takes a value");
    }
  }
}

std::string Arguments::text(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) fail("--" + name + " is missing");
  return found->second;
}

std::string Arguments::text(const std::string& name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second;
}

long Arguments::number(const std::string& name, long otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : std::strtol(found->second.c_str(), nullptr, 10);
}

namespace {

int connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) fail("socket path too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail_errno("socket");
  // A full accept queue shows as EAGAIN on a socket that does not block; this one waits.
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fail_errno("connect " + path);
  return fd;
}

int connect_tcp(const std::string& target, std::size_t colon) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::strtol(target.c_str() + colon + 1, nullptr, 10)));
  if (::inet_pton(AF_INET, target.substr(0, colon).c_str(), &address.sin_addr) != 1) fail("no address: " + target);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail_errno("socket");
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fail_errno("connect " + target);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

}  // namespace

int connect_to(const std::string& target, bool nonblocking) {
  const std::size_t colon = target.rfind(':');
  const bool is_path = target.starts_with('/') || colon == std::string::npos;
  const int fd = is_path ? connect_unix(target) : connect_tcp(target, colon);
  if (nonblocking) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string get_request(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: quoll-bench\r\n\r\n";
}

std::string request(std::string_view method, std::string_view path, std::string_view body) {
  std::string text = std::string(method) + " " + std::string(path) +
                     " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: quoll-bench\r\n"
                     "Content-Length: " +
                     std::to_string(body.size()) + "\r\n";
  if (!body.empty()) text += "Content-Type: application/json\r\n";
  return text + "\r\n" + std::string(body);
}

namespace {

// The value of a header in a whole head; "" where it is not there.
std::string header_of(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::size_t end = std::min(head.find('\n'), head.size() - 1);
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 1);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) { return (a | 0x20) == (b | 0x20); })) {
      continue;
    }
    std::string value(line.substr(name.size() + 1));
    std::erase_if(value, [](char c) { return c == ' ' || c == '\r'; });
    return value;
  }
  return "";
}

}  // namespace

void ResponseReader::end_of_head() {
  if (!line_.starts_with("HTTP/1.") || line_.size() < 12) fail("no HTTP answer: " + line_.substr(0, 80));
  status_ = static_cast<int>(std::strtol(line_.c_str() + 9, nullptr, 10));
  const std::string length = header_of(line_, "content-length");
  chunked_ = header_of(line_, "transfer-encoding") == "chunked";
  line_.clear();
  if (chunked_) {
    state_ = State::kChunkSize;
  } else if (status_ == 204 || status_ == 304) {
    state_ = State::kDone;
  } else if (!length.empty()) {
    left_ = std::strtoul(length.c_str(), nullptr, 10);
    state_ = left_ == 0 ? State::kDone : State::kBody;
  } else {
    left_ = SIZE_MAX;  // until the connection closes
    state_ = State::kBody;
  }
}

void ResponseReader::take(char c) {
  line_ += c;
  if (c != '\n') return;
  switch (state_) {
    case State::kHead:
      if (line_.ends_with("\r\n\r\n")) end_of_head();
      return;
    case State::kChunkEnd:
      state_ = State::kChunkSize;
      break;
    case State::kChunkSize:
      left_ = std::strtoul(line_.c_str(), nullptr, 16);
      state_ = left_ == 0 ? State::kTrailer : State::kBody;
      break;
    case State::kTrailer:
      if (line_ == "\r\n") state_ = State::kDone;
      break;
    default:
      break;
  }
  line_.clear();
}

Client::~Client() { ::close(fd_); }

Client::Answer Client::call(const std::string& request_text) {
  std::string_view left = request_text;
  while (!left.empty()) {
    const ssize_t sent = ::send(fd_, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0) fail_errno("send");
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
  ResponseReader reader;
  Answer answer;
  char buffer[64 * 1024];
  while (!reader.done()) {
    const ssize_t count = ::recv(fd_, buffer, sizeof(buffer), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("the connection ended: " + request_text.substr(0, request_text.find('\r')));
    reader.feed(buffer, static_cast<std::size_t>(count),
                [&](const char* data, std::size_t size) { answer.body.append(data, size); });
  }
  answer.status = reader.status();
  return answer;
}

Percentiles percentiles(std::vector<double>& values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) {
    return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1) + 0.5)];
  };
  return {at(0.5), at(0.99), values.back()};
}

}  // namespace bench
