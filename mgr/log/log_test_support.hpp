// For the tests of this folder: a directory of their own, and a stand-in for the monitor that writes and reopens as it
// does.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mgr/log/log_encoder.hpp"
#include "mgr/log/log_reader.hpp"
#include "mgr/log/log_segment.hpp"
#include "mgr/log/timestamp.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr::log_test {

inline constexpr std::int64_t kSecond = 1'000'000'000;
inline constexpr std::int64_t kStart = 1'700'000'000 * kSecond;

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "quoll-log-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  bool has(std::string_view name) const { return std::filesystem::exists(file(name)); }

  void append(std::string_view name, std::string_view bytes) const {
    std::ofstream(file(name), std::ios::binary | std::ios::app) << bytes;
  }

 private:
  std::string path_;
};

// "2026-11-23T21:22:44.137589767+00:00 stdout F text\n"
inline std::string record(std::int64_t time_ns, std::string_view tag, std::string_view text) {
  std::string line = format_timestamp(time_ns);
  line.pop_back();
  return line.append("+00:00 ").append(tag).append(" ").append(text).append("\n");
}

inline std::string out_line(std::int64_t seconds, std::string_view text) {
  return record(kStart + seconds * kSecond, "stdout F", text);
}
inline std::string out_piece(std::int64_t seconds, std::string_view text) {
  return record(kStart + seconds * kSecond, "stdout P", text);
}
inline std::string err_line(std::int64_t seconds, std::string_view text) {
  return record(kStart + seconds * kSecond, "stderr F", text);
}
inline std::string err_piece(std::int64_t seconds, std::string_view text) {
  return record(kStart + seconds * kSecond, "stderr P", text);
}

// Appends to the file that it has open, whatever its name is by now; reopen() closes it, makes a new one beside, and
// gives that the name `log`.
class FakeMonitor {
 public:
  explicit FakeMonitor(const TempDir& dir) : path_(dir.file("log")) {
    file_ = UniqueFd(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  }

  void write(std::string_view bytes) const {
    ASSERT_EQ(::write(file_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  void reopen() {
    const std::string fresh = path_ + ".tmp";
    file_.reset();
    file_ = UniqueFd(::open(fresh.c_str(), O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0640));
    ASSERT_EQ(::rename(fresh.c_str(), path_.c_str()), 0);
  }

 private:
  std::string path_;
  UniqueFd file_;
};

inline LogFilter both_streams() {
  LogFilter filter;
  filter.stdout_wanted = filter.stderr_wanted = true;
  return filter;
}

// All that a reader gives now.
inline std::string read_all(LogReader& reader, const LogPosition* limit = nullptr) {
  std::vector<char> buffer(kLogReadBytesMin);
  std::string all;
  for (;;) {
    const std::string_view records = reader.read(buffer, limit);
    if (records.empty()) return all;
    all += records;
  }
}

inline std::string read_from(const LogPosition& position) {
  LogReader reader(position);
  return read_all(reader);
}

// What a terminal's client reads from `position` on.
inline std::string text_from(const LogPosition& position, const LogFilter& filter = both_streams()) {
  LogBytes out;
  LogEncoder(filter, LogFraming::kRaw).encode(read_from(position), out);
  return std::string(out.view());
}

}  // namespace quoll::mgr::log_test
