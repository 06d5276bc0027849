// What the monitor writes, byte for byte; mgr/log has the reader.
#include "monitor/log_file.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

namespace quoll::monitor {
namespace {

class log_file : public testing::Test {
 protected:
  log_file() : path_(testing::TempDir() + "quoll-log-" + std::to_string(::getpid())) {
    std::filesystem::remove(path_);
    EXPECT_TRUE(log_->open(path_));
  }
  ~log_file() override { std::filesystem::remove(path_); }

  // The records without their times.
  std::string text() const {
    std::ifstream file(path_);
    std::string all;
    for (std::string line; std::getline(file, line);) all += line.substr(kRecordHeaderBytes - 9) + "|";
    return all;
  }

  const std::string path_;
  const std::unique_ptr<LogFile> log_ = std::make_unique<LogFile>();
};

TEST(record_header, is_of_the_form_that_readers_parse_in_place) {
  const RecordHeader header = record_header(2, 1'764'504'000'000'000'007);
  EXPECT_EQ(std::string(header.data(), header.size()), "2025-11-30T12:00:00.000000007+00:00 stderr F ");
}

TEST_F(log_file, has_a_record_a_line_and_marks_what_goes_on) {
  log_->write(1, "one\ntwo\nthr");
  log_->write(2, "other\n");
  log_->write(1, "ee\n\n");
  EXPECT_EQ(text(), "stdout F one|stdout F two|stdout P thr|stderr F other|stdout F ee|stdout F |");
}

TEST_F(log_file, cuts_what_has_no_newline_into_pieces) {
  log_->write(1, std::string(2 * LogFile::kPieceBytesMax + 1, 'x') + "\n");
  const std::string piece(LogFile::kPieceBytesMax, 'x');
  EXPECT_EQ(text(), "stdout P " + piece + "|stdout P " + piece + "|stdout F x|");
}

TEST_F(log_file, many_short_lines_at_once_are_all_there) {
  std::string lines;
  for (int i = 0; i < 32'768; ++i) lines += "\n";
  log_->write(1, lines);
  EXPECT_EQ(std::filesystem::file_size(path_), lines.size() * (kRecordHeaderBytes + 1));
}

TEST_F(log_file, goes_on_in_the_new_file_after_a_rotation) {
  log_->write(1, "old\n");
  std::filesystem::rename(path_, path_ + ".1");
  log_->write(1, "still old\n");
  log_->reopen();
  log_->reopen();
  log_->write(1, "new\n");
  EXPECT_EQ(text(), "stdout F new|");
  std::filesystem::remove(path_ + ".1");
}

}  // namespace
}  // namespace quoll::monitor
