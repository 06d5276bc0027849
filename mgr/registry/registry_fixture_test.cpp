#include "mgr/registry/registry_fixture.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "mgr/image/digest.hpp"

namespace quoll::mgr::fixture {

LoopbackRegistry::LoopbackRegistry() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener_.get(), generic, size), 0);
  EXPECT_EQ(::listen(listener_.get(), 64), 0);
  EXPECT_EQ(::getsockname(listener_.get(), generic, &size), 0);
  name_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  thread_ = std::jthread([this] { serve(); });
}

LoopbackRegistry::~LoopbackRegistry() {
  closing_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, fd] : open_) ::shutdown(fd.get(), SHUT_RDWR);
  }
  connections_.clear();
}

std::string LoopbackRegistry::add(const std::string& repository, const ImageSpec& image) {
  OciLayout layout;
  const std::string manifest = layout.image(image)["digest"];
  const std::string base = "/v2/" + repository;
  for (const auto& [name, content] : layout.files) {
    const std::string digest = sha256_digest(content);
    content_[base + (digest == manifest ? "/manifests/" : "/blobs/") + digest] = content;
    if (digest == manifest) content_[base + "/manifests/1"] = content;
  }
  return name_ + "/" + repository + ":1";
}

int LoopbackRegistry::count(const std::string& part) const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(
      std::ranges::count_if(asked_, [&](const std::string& path) { return path.find(part) != path.npos; }));
}

void LoopbackRegistry::serve() {
  while (!closing_) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) continue;
    const int number = fd.get();
    {
      const std::lock_guard lock(mutex_);
      open_[number] = std::move(fd);
    }
    connections_.emplace_back([this, number] {
      serve_connection(number);
      const std::lock_guard lock(mutex_);
      open_.erase(number);
    });
  }
}

// Requests without a body, one after the other. What is no HTTP, as the first bytes of TLS, ends it.
void LoopbackRegistry::serve_connection(int fd) const {
  std::string input;
  std::array<char, 4096> piece;
  while (true) {
    const std::size_t end = input.find("\r\n\r\n");
    if (end == input.npos) {
      const ssize_t got = ::recv(fd, piece.data(), piece.size(), 0);
      if (got <= 0) return;
      input.append(piece.data(), static_cast<std::size_t>(got));
      if (!input.starts_with("GET ") && !input.starts_with("HEAD ")) return;
      continue;
    }
    const std::size_t space = input.find(' ');
    const std::string path = input.substr(space + 1, input.find(' ', space + 1) - space - 1);
    const std::string out = answer(input.substr(0, space), path);
    if (::send(fd, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) return;
    input.erase(0, end + 4);
  }
}

std::string LoopbackRegistry::answer(const std::string& method, const std::string& path) const {
  const auto found = content_.find(path);
  if (found == content_.end()) return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
  if (method == "GET") {
    const std::lock_guard lock(mutex_);
    asked_.push_back(path);
  }
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(found->second.size()) +
         "\r\nDocker-Content-Digest: " + sha256_digest(found->second) + "\r\n\r\n" +
         (method == "HEAD" ? std::string() : found->second);
}

}  // namespace quoll::mgr::fixture
