// What the load generators share: a target, its connection, an incremental reader of HTTP answers, and percentiles.
// Nothing of the tree's own HTTP code is in here: a benchmark that shared it would share its faults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

// Ends the program with a message: a benchmark that cannot measure has nothing else to say.
[[noreturn]] void fail(const std::string& what);
[[noreturn]] void fail_errno(const std::string& what);

inline std::int64_t now_ns() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

// `--name value` pairs, and words without dashes in front of them.
class Arguments {
 public:
  Arguments(int argc, char** argv);
  std::string text(const std::string& name) const;  // ends the program where it is missing
  std::string text(const std::string& name, const std::string& otherwise) const;
  long number(const std::string& name, long otherwise) const;
  const std::vector<std::string>& words() const { return words_; }

 private:
  std::map<std::string, std::string> values_;
  std::vector<std::string> words_;
};

// `/path` is a UNIX socket, `address:port` is TCP over IPv4.
int connect_to(const std::string& target, bool nonblocking = false);

void raise_descriptor_limit();

std::string get_request(std::string_view path);
std::string request(std::string_view method, std::string_view path, std::string_view body);

// Takes the bytes of one connection and finds the ends of answers and the spans of their bodies.
class ResponseReader {
 public:
  // Calls body(data, size) for each span. Stops at the end of an answer and returns the number of bytes used.
  template <typename Body>
  std::size_t feed(const char* data, std::size_t size, Body&& body) {
    std::size_t used = 0;
    while (used < size && state_ != State::kDone) {
      if (state_ == State::kBody) {
        const std::size_t part = left_ < size - used ? left_ : size - used;
        body(data + used, part);
        used += part;
        left_ -= part;
        if (left_ == 0) state_ = chunked_ ? State::kChunkEnd : State::kDone;
      } else {
        take(data[used++]);
      }
    }
    return used;
  }
  bool head_done() const { return status_ != 0; }
  bool done() const { return state_ == State::kDone; }
  int status() const { return status_; }
  void next() { *this = ResponseReader(); }

 private:
  enum class State : std::uint8_t { kHead, kChunkSize, kChunkEnd, kTrailer, kBody, kDone };
  void take(char c);
  void end_of_head();

  State state_ = State::kHead;
  bool chunked_ = false;
  int status_ = 0;
  std::size_t left_ = 0;
  std::string line_;  // the head, then each line of the chunked coding
};

// One connection that waits for each answer. Ends the program where the connection fails.
class Client {
 public:
  explicit Client(const std::string& target) : fd_(connect_to(target)) {}
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  struct Answer {
    int status = 0;
    std::string body;
  };
  Answer call(const std::string& request_text);

 private:
  int fd_;
};

struct Percentiles {
  double p50 = 0;
  double p99 = 0;
  double max = 0;
};
// Of values that the call sorts; all 0 where there are none.
Percentiles percentiles(std::vector<double>& values);

}  // namespace bench
