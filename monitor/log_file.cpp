#include "monitor/log_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <utility>

namespace quoll::monitor {
namespace {

constexpr std::size_t kTagAt = kRecordHeaderBytes - 2;  // of F or P

long long now_ns() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

}  // namespace

RecordHeader record_header(int stream, long long time_ns) {
  const time_t seconds = time_ns / 1'000'000'000;
  tm utc;
  ::gmtime_r(&seconds, &utc);
  char text[64];
  const std::size_t date = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + date, sizeof text - date, ".%09lld+00:00 %s F ", time_ns % 1'000'000'000,
                stream == 2 ? "stderr" : "stdout");
  RecordHeader header;
  std::memcpy(header.data(), text, header.size());
  return header;
}

bool LogFile::open(std::string path) {
  path_ = std::move(path);
  if (path_.empty()) return true;
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  return fd_ >= 0;
}

void LogFile::reopen() {
  if (path_.empty()) return;
  const int before = fd_;
  if (open(path_)) {
    if (before >= 0) ::close(before);
  } else {
    fd_ = before;
  }
}

void LogFile::write(int stream, std::string_view bytes) {
  if (fd_ < 0) return;
  RecordHeader header = record_header(stream, now_ns());
  while (!bytes.empty()) {
    const std::string_view window = bytes.substr(0, kPieceBytesMax);
    const void* const newline = std::memchr(window.data(), '\n', window.size());
    const std::size_t length = newline != nullptr
                                   ? static_cast<std::size_t>(static_cast<const char*>(newline) - window.data())
                                   : window.size();
    header[kTagAt] = newline != nullptr ? 'F' : 'P';
    append({header.data(), header.size()});
    append(window.substr(0, length));
    append("\n");
    bytes.remove_prefix(length + (newline != nullptr ? 1 : 0));
  }
  flush();
}

void LogFile::append(std::string_view bytes) {
  if (buffer_.size() - used_ < bytes.size()) flush();
  std::memcpy(buffer_.data() + used_, bytes.data(), bytes.size());
  used_ += bytes.size();
}

void LogFile::flush() {
  for (std::size_t done = 0; done < used_;) {
    const ssize_t count = ::write(fd_, buffer_.data() + done, used_ - done);
    if (count > 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      break;  // the readers skip a torn record
    }
  }
  used_ = 0;
}

}  // namespace quoll::monitor
