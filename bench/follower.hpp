// A client that follows a container's log, and the check of what it gets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "bench/client.hpp"

namespace bench {

// Takes Docker's multiplexed frames and checks the lines in them against line_writer's numbers.
class LineChecker {
 public:
  void feed(const char* data, std::size_t size);

  // For stamps instead of numbers: is called with the number of each line.
  std::function<void(std::int64_t)> on_line;

  std::uint64_t lines() const { return lines_; }
  std::uint64_t text_bytes() const { return text_bytes_; }
  // Lines that were skipped, and lines that came again or out of order.
  std::uint64_t lost() const { return lost_; }
  std::uint64_t doubled() const { return doubled_; }

 private:
  void text(const char* data, std::size_t size);
  void end_line();

  unsigned char header_[8] = {};
  std::size_t header_bytes_ = 0;
  std::size_t frame_left_ = 0;
  std::int64_t number_ = 0;
  std::size_t column_ = 0;
  std::int64_t next_ = 0;
  std::uint64_t lines_ = 0;
  std::uint64_t text_bytes_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t doubled_ = 0;
};

struct Follower {
  int fd = -1;
  ResponseReader reader;
  LineChecker lines;
};

// A crowd of followers on one epoll descriptor.
class Followers {
 public:
  Followers();
  ~Followers();
  Followers(const Followers&) = delete;
  Followers& operator=(const Followers&) = delete;

  void open(const std::string& target, const std::string& path, std::size_t count);
  // Handles what has come; waits for at most that long. Returns the number of bytes.
  std::size_t poll(int timeout_ms);
  // Until each has its header; false where some have none in this time (podman sends it with the first line).
  bool wait_for_headers(std::int64_t timeout_ms);
  // `reset` makes the kernel send RST rather than FIN (TCP).
  void close_all(bool reset);

  std::deque<Follower>& all() { return followers_; }
  std::size_t ended() const { return ended_; }

 private:
  std::size_t receive(Follower& follower);

  int epoll_;
  std::deque<Follower> followers_;
  std::size_t ended_ = 0;
};

}  // namespace bench
