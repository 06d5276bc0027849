// The file that a container's output is kept in: one record a line,
//
//     2026-11-23T21:22:44.137589767+00:00 stdout F text\n
//
// with P for a piece of a line that the next record of the same stream goes on with. This is the "k8s-file" form of
// conmon and CRI.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace quoll::monitor {

// Errors: a file that cannot be written (full disk) loses records, and never holds the container up.
class LogFile {
 public:
  static constexpr std::size_t kPieceBytesMax = 16 * 1024;

  // An empty path: nothing is kept. False where the file cannot be opened.
  bool open(std::string path);
  // After a rotation: what is written from now on goes to the file that has the name now, a new one as a rule.
  void reopen();
  // One read of one stream (1 or 2); its last line may be unfinished.
  void write(int stream, std::string_view bytes);

 private:
  void append(std::string_view bytes);
  void flush();

  std::string path_;
  int fd_ = -1;
  std::size_t used_ = 0;
  std::array<char, 128 * 1024> buffer_;
};

// What stands in front of a record's text that ends a line, for `stream` at `time_ns` since 1970.
inline constexpr std::size_t kRecordHeaderBytes = 45;
using RecordHeader = std::array<char, kRecordHeaderBytes>;
RecordHeader record_header(int stream, long long time_ns);

}  // namespace quoll::monitor
