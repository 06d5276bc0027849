#include "mgr/log/log_segment.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "mgr/log/log_reader.hpp"
#include "mgr/log/log_test_support.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using log_test::FakeMonitor;
using log_test::out_line;
using log_test::read_from;
using log_test::TempDir;
using log_test::text_from;
using Rotation = LogFiles::Rotation;

TEST(log_files, a_log_that_nobody_wrote_yet_is_empty_and_is_continued_by_the_first_file) {
  const TempDir dir;
  LogFiles files(dir.path());
  const LogPosition begin = files.begin();
  EXPECT_EQ(begin.segment->size(), 0U);
  EXPECT_EQ(read_from(begin), "");
  EXPECT_FALSE(files.adopt_new());
  EXPECT_EQ(files.rotate(3, [] { FAIL(); }), Rotation::kAwaitingFile);
  dir.append("log", out_line(0, "a"));
  EXPECT_TRUE(files.adopt_new());
  EXPECT_FALSE(files.adopt_new());
  EXPECT_EQ(text_from(begin), "a\n");
  EXPECT_EQ(files.segments().size(), 1U);
  EXPECT_EQ(text_from(files.begin()), "a\n");
}

TEST(log_files, a_missing_directory_is_not_found) {
  const TempDir dir;
  try {
    LogFiles files(dir.file("absent"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kNotFound);
  }
}

TEST(log_files, opens_files_by_number_and_ignores_other_names) {
  const TempDir dir;
  dir.append("log", out_line(5, "e"));
  dir.append("log.1", out_line(4, "d"));
  dir.append("log.2", out_line(3, "c"));
  dir.append("log.10", out_line(2, "b"));
  dir.append("log.11", out_line(1, "a"));
  for (const char* name :
       {"log.tmp", "log.", "log.0", "log.01", "log.1.gz", "log.-1", "log.99999999999", "logs.1", "xlog"}) {
    dir.append(name, out_line(9, "wrong"));
  }
  std::filesystem::create_directory(dir.file("log.7"));
  std::filesystem::create_symlink(dir.file("xlog"), dir.file("log.8"));
  ASSERT_EQ(::mkfifo(dir.file("log.9").c_str(), 0600), 0);
  const LogFiles files(dir.path());
  EXPECT_EQ(text_from(files.begin()), "a\nb\nc\nd\ne\n");
  EXPECT_EQ(files.segments().size(), 5U);
  EXPECT_LT(files.oldest()->generation(), files.current()->generation());
}

TEST(log_files, rotation_keeps_at_most_so_many_files) {
  const TempDir dir;
  FakeMonitor monitor(dir);
  LogFiles files(dir.path());
  for (int i = 0; i < 6; ++i) {
    monitor.write(out_line(i, std::to_string(i)));
    EXPECT_EQ(files.rotate(3, [&] { monitor.reopen(); }), Rotation::kRotated);
    EXPECT_TRUE(files.adopt_new());
  }
  monitor.write(out_line(6, "6"));
  EXPECT_EQ(text_from(files.begin()), "4\n5\n6\n");
  EXPECT_TRUE(dir.has("log") && dir.has("log.1") && dir.has("log.2"));
  EXPECT_FALSE(dir.has("log.3"));
  EXPECT_EQ(text_from(LogFiles(dir.path()).begin()), "4\n5\n6\n");
}

TEST(log_files, one_kept_file_is_the_current_one) {
  const TempDir dir;
  FakeMonitor monitor(dir);
  LogFiles files(dir.path());
  const LogPosition begin = files.begin();
  monitor.write(out_line(0, "a"));
  EXPECT_EQ(files.rotate(1, [&] { monitor.write(out_line(0, "late")); }), Rotation::kRotated);
  EXPECT_TRUE(dir.has("log.1"));  // the monitor still writes to it
  monitor.reopen();
  monitor.write(out_line(1, "b"));
  EXPECT_TRUE(files.adopt_new());
  EXPECT_FALSE(dir.has("log.1"));
  EXPECT_EQ(text_from(files.begin()), "b\n");
  EXPECT_EQ(text_from(begin), "a\nlate\nb\n");
}

TEST(log_files, a_smaller_limit_drops_what_is_too_much) {
  const TempDir dir;
  for (int i = 1; i <= 6; ++i) dir.append("log." + std::to_string(i), out_line(-i, std::to_string(i)));
  FakeMonitor monitor(dir);
  LogFiles files(dir.path());
  files.rotate(3, [&] { monitor.reopen(); });
  files.adopt_new();
  EXPECT_EQ(text_from(files.begin()), "1\n");
  EXPECT_EQ(files.segments().size(), 3U);
  for (int i = 3; i <= 7; ++i) EXPECT_FALSE(dir.has("log." + std::to_string(i))) << i;
  EXPECT_EQ(text_from(LogFiles(dir.path()).begin()), "1\n");
}

TEST(log_files, keeping_none_is_refused) {
  const TempDir dir;
  const FakeMonitor monitor(dir);
  LogFiles files(dir.path());
  EXPECT_THROW(files.rotate(0, [] { FAIL(); }), Error);
  EXPECT_TRUE(dir.has("log"));
}

TEST(log_files, while_the_new_file_is_awaited_nothing_is_rotated_again) {
  const TempDir dir;
  FakeMonitor monitor(dir);
  LogFiles files(dir.path());
  monitor.write(out_line(0, "a"));
  EXPECT_EQ(files.rotate(5, [] {}), Rotation::kRotated);
  EXPECT_TRUE(files.awaiting_file());
  monitor.write(out_line(1, "b"));  // has not read the request yet
  EXPECT_EQ(files.rotate(5, [] { FAIL() << "a second request would replace the first one's file"; }),
            Rotation::kAwaitingFile);
  monitor.reopen();
  monitor.write(out_line(2, "c"));
  EXPECT_EQ(files.rotate(5, [&] { monitor.reopen(); }), Rotation::kRotated);  // adopts on its way
  EXPECT_TRUE(files.adopt_new());
  EXPECT_FALSE(files.awaiting_file());
  monitor.write(out_line(3, "d"));
  EXPECT_EQ(text_from(files.begin()), "a\nb\nc\nd\n");
}

TEST(log_files, a_reopen_that_fails_is_reported_and_the_log_goes_on) {
  const TempDir dir;
  FakeMonitor monitor(dir);
  LogFiles files(dir.path());
  monitor.write(out_line(0, "a"));
  EXPECT_THROW(files.rotate(3, [] { throw std::runtime_error("no monitor"); }), std::runtime_error);
  EXPECT_TRUE(files.awaiting_file());
  FakeMonitor restarted(dir);
  restarted.write(out_line(1, "b"));
  EXPECT_TRUE(files.adopt_new());
  EXPECT_EQ(text_from(files.begin()), "a\nb\n");
}

TEST(log_files, a_restarted_monitor_appends_to_the_same_file) {
  const TempDir dir;
  LogFiles files(dir.path());
  FakeMonitor(dir).write(out_line(0, "a"));
  EXPECT_TRUE(files.adopt_new());
  FakeMonitor(dir).write(out_line(1, "b"));
  EXPECT_FALSE(files.adopt_new());
  EXPECT_EQ(text_from(files.begin()), "a\nb\n");
}

// The steps of a rotation of log, log.1, log.2 with max_files 3, cut short after each; the monitor goes on as it was
// told.
class InterruptedRotation : public ::testing::TestWithParam<int> {};

TEST_P(InterruptedRotation, leaves_a_right_chain) {
  const int steps = GetParam();
  const TempDir dir;
  dir.append("log.2", out_line(0, "a"));
  dir.append("log.1", out_line(1, "b"));
  FakeMonitor monitor(dir);
  monitor.write(out_line(2, "c"));
  if (steps >= 1) std::filesystem::rename(dir.file("log.1"), dir.file("log.2"));  // drops a
  if (steps >= 2) std::filesystem::rename(dir.file("log"), dir.file("log.1"));
  if (steps >= 3) monitor.reopen();
  monitor.write(out_line(3, "d"));

  LogFiles files(dir.path());
  EXPECT_EQ(files.awaiting_file(), steps == 2);
  EXPECT_EQ(text_from(files.begin()), steps >= 1 ? "b\nc\nd\n" : "a\nb\nc\nd\n");
  if (files.awaiting_file()) {
    monitor.reopen();
    EXPECT_TRUE(files.adopt_new());
  }
  EXPECT_EQ(files.rotate(3, [&] { monitor.reopen(); }), Rotation::kRotated);
  EXPECT_TRUE(files.adopt_new());
  monitor.write(out_line(4, "e"));
  // Before the second step log.1 is free or its file the second oldest, so b stays; after it b is the oldest of three.
  const std::string kept = steps < 2 ? "b\nc\nd\ne\n" : "c\nd\ne\n";
  EXPECT_EQ(text_from(files.begin()), kept);
  EXPECT_EQ(text_from(LogFiles(dir.path()).begin()), kept);
  EXPECT_LE(files.segments().size(), 3U);
}

INSTANTIATE_TEST_SUITE_P(after_each_step, InterruptedRotation, ::testing::Range(0, 4));

TEST(log_files, names_move_only_up_to_the_first_gap) {
  const TempDir dir;
  dir.append("log.3", out_line(0, "a"));
  dir.append("log.1", out_line(1, "b"));
  FakeMonitor monitor(dir);
  monitor.write(out_line(2, "c"));
  LogFiles files(dir.path());
  files.rotate(5, [&] { monitor.reopen(); });
  files.adopt_new();
  EXPECT_EQ(text_from(files.begin()), "a\nb\nc\n");
  EXPECT_TRUE(dir.has("log.3") && dir.has("log.2") && dir.has("log.1"));
  EXPECT_FALSE(dir.has("log.4"));
  EXPECT_EQ(text_from(LogFiles(dir.path()).begin()), "a\nb\nc\n");
}

TEST(log_files, a_file_that_somebody_replaced_is_continued_by_its_replacement) {
  const TempDir dir;
  dir.append("log", out_line(0, "a"));
  LogFiles files(dir.path());
  const LogPosition begin = files.begin();
  dir.append("other", out_line(1, "b"));
  std::filesystem::rename(dir.file("other"), dir.file("log"));
  EXPECT_TRUE(files.adopt_new());
  EXPECT_EQ(text_from(begin), "a\nb\n");
  EXPECT_EQ(text_from(files.begin()), "b\n");
}

TEST(log_files, a_deleted_file_does_not_stop_rotation) {
  const TempDir dir;
  FakeMonitor monitor(dir);
  dir.append("log.1", out_line(0, "a"));
  LogFiles files(dir.path());
  std::filesystem::remove(dir.file("log.1"));
  std::filesystem::remove(dir.file("log"));
  monitor.write(out_line(1, "b"));
  const LogPosition begin{files.current(), 0, {}};
  EXPECT_EQ(files.rotate(3, [&] { monitor.reopen(); }), Rotation::kRotated);
  monitor.write(out_line(2, "c"));
  EXPECT_TRUE(files.adopt_new());
  EXPECT_EQ(text_from(begin), "b\nc\n");
}

TEST(log_files, a_torn_record_is_ended_once) {
  const TempDir dir;
  LogFiles files(dir.path());
  EXPECT_FALSE(files.end_torn_record());
  dir.append("log", "");
  EXPECT_FALSE(files.end_torn_record());
  const std::string torn = out_line(0, "torn text");
  dir.append("log", torn.substr(0, torn.size() - 3));
  EXPECT_TRUE(files.end_torn_record());
  EXPECT_FALSE(files.end_torn_record());
  dir.append("log", out_line(1, "next"));
  files.adopt_new();
  EXPECT_EQ(text_from(files.begin()), "torn te\nnext\n");
}

TEST(log_segment, reads_fewer_bytes_only_at_its_end) {
  const TempDir dir;
  dir.append("log", "0123456789");
  const LogFiles files(dir.path());
  std::string bytes(8, '.');
  EXPECT_EQ(files.current()->read_at(0, bytes), 8U);
  EXPECT_EQ(bytes, "01234567");
  EXPECT_EQ(files.current()->read_at(8, bytes), 2U);
  EXPECT_EQ(files.current()->read_at(100, bytes), 0U);
  EXPECT_EQ(files.current()->size(), 10U);
}

// A reader that stands still while its log is rotated is the last owner of a long chain.
TEST(log_segment, a_long_chain_falls_without_deep_recursion) {
  const TempDir dir;
  LogFiles files(dir.path());
  dir.append("log", "");
  files.adopt_new();
  LogPosition reader{files.current(), 0, {}};
  for (int i = 0; i < 400; ++i) {
    files.rotate(1, [&] { dir.append("log", ""); });
    files.adopt_new();
  }
  int length = 0;
  for (auto segment = reader.segment; segment; segment = segment->next()) ++length;
  EXPECT_EQ(length, 401);
  reader.segment.reset();
  EXPECT_EQ(files.segments().size(), 1U);
}

TEST(log_position, is_ordered_by_generation_and_offset) {
  const TempDir dir;
  dir.append("log.1", "x");
  dir.append("log", "x");
  const LogFiles files(dir.path());
  const LogPosition begin = files.begin();
  const LogPosition later{begin.segment, 7, {true, false}};
  const LogPosition next{files.current(), 3, {}};
  EXPECT_LT(begin, later);
  EXPECT_LT(later, next);
  EXPECT_EQ(later, (LogPosition{begin.segment, 7, {}}));
  EXPECT_NE(later, begin);
}

}  // namespace
}  // namespace quoll::mgr
