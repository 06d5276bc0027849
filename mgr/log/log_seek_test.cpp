#include "mgr/log/log_seek.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "mgr/log/log_test_support.hpp"

namespace quoll::mgr {
namespace {

using log_test::both_streams;
using log_test::err_line;
using log_test::err_piece;
using log_test::kSecond;
using log_test::kStart;
using log_test::out_line;
using log_test::out_piece;
using log_test::read_from;
using log_test::record;
using log_test::TempDir;
using log_test::text_from;

std::string tail(const TempDir& dir, std::uint64_t lines, const LogFilter& filter = both_streams()) {
  const LogFiles files(dir.path());
  return text_from(position_for_tail(files, lines, filter), filter);
}

LogFilter only_stderr() {
  LogFilter filter;
  filter.stderr_wanted = true;
  return filter;
}

TEST(log_tail, counts_lines_from_the_end) {
  const TempDir dir;
  dir.append("log", out_line(0, "a") + err_line(1, "b") + out_line(2, "c"));
  EXPECT_EQ(tail(dir, 0), "");
  EXPECT_EQ(tail(dir, 1), "c\n");
  EXPECT_EQ(tail(dir, 2), "b\nc\n");
  EXPECT_EQ(tail(dir, 3), "a\nb\nc\n");
  EXPECT_EQ(tail(dir, 4), "a\nb\nc\n");
  EXPECT_EQ(tail(dir, std::numeric_limits<std::uint64_t>::max()), "a\nb\nc\n");
}

TEST(log_tail, of_nothing_is_nothing) {
  const TempDir dir;
  EXPECT_EQ(tail(dir, 5), "");
  dir.append("log", "");
  EXPECT_EQ(tail(dir, 5), "");
  EXPECT_EQ(tail(dir, 0), "");
  dir.append("log", "no newline yet");
  EXPECT_EQ(tail(dir, 5), "");
  EXPECT_EQ(position_for_end(LogFiles(dir.path())).offset, 0U);
}

TEST(log_tail, none_starts_before_the_record_that_is_being_written) {
  const TempDir dir;
  const std::string last = out_line(1, "last");
  dir.append("log", out_line(0, "a") + last.substr(0, 12));
  const LogFiles files(dir.path());
  const LogPosition position = position_for_tail(files, 0, both_streams());
  EXPECT_EQ(position, position_for_end(files));
  EXPECT_EQ(position.offset, out_line(0, "a").size());
  dir.append("log", last.substr(12));
  EXPECT_EQ(text_from(position), "last\n");
}

TEST(log_tail, ignores_a_torn_end_and_garbage) {
  const TempDir dir;
  dir.append("log", out_line(0, "a") + out_line(1, "b") + "garbage\n\n\n" + out_line(2, "c") + "garbage\n2023-11");
  EXPECT_EQ(tail(dir, 1), "c\n");
  EXPECT_EQ(tail(dir, 2), "b\nc\n");
  EXPECT_EQ(tail(dir, 9), "a\nb\nc\n");
}

TEST(log_tail, goes_back_over_rotated_files) {
  const TempDir dir;
  dir.append("log.3", out_line(0, "a") + out_line(1, "b"));
  dir.append("log.2", "");
  dir.append("log.1", out_line(2, "c") + "torn");
  dir.append("log", out_line(3, "d"));
  EXPECT_EQ(tail(dir, 1), "d\n");
  EXPECT_EQ(tail(dir, 2), "c\nd\n");
  EXPECT_EQ(tail(dir, 3), "b\nc\nd\n");
  EXPECT_EQ(tail(dir, 4), "a\nb\nc\nd\n");
}

TEST(log_tail, a_line_is_all_its_pieces) {
  const TempDir dir;
  dir.append("log", out_line(0, "a") + out_piece(1, "b") + out_piece(1, "b") + out_line(1, "b") + out_piece(2, "c") +
                        out_line(2, ""));
  EXPECT_EQ(tail(dir, 1), "c\n");
  EXPECT_EQ(tail(dir, 2), "bbb\nc\n");
  EXPECT_EQ(tail(dir, 3), "a\nbbb\nc\n");
}

TEST(log_tail, pieces_go_back_over_rotated_files) {
  const TempDir dir;
  dir.append("log.2", out_line(0, "a") + out_piece(1, "b"));
  dir.append("log.1", out_piece(1, "b"));
  dir.append("log", out_line(1, "b"));
  EXPECT_EQ(tail(dir, 1), "bbb\n");
}

TEST(log_tail, an_unfinished_line_is_a_line) {
  const TempDir dir;
  dir.append("log", out_line(0, "a") + out_line(1, "b") + out_piece(2, "promp") + out_piece(2, "t> "));
  EXPECT_EQ(tail(dir, 1), "prompt> ");
  EXPECT_EQ(tail(dir, 2), "b\nprompt> ");
}

TEST(log_tail, counts_the_wanted_streams_only) {
  const TempDir dir;
  dir.append("log", err_line(0, "x") + err_piece(1, "y") + out_line(1, "a") + err_line(1, "y") + out_line(2, "b") +
                        out_line(3, "c"));
  EXPECT_EQ(tail(dir, 1, only_stderr()), "yy\n");
  EXPECT_EQ(tail(dir, 2, only_stderr()), "x\nyy\n");
  EXPECT_EQ(tail(dir, 9, only_stderr()), "x\nyy\n");
  EXPECT_EQ(tail(dir, 1, LogFilter()), "");
}

TEST(log_tail, lines_of_two_streams_may_be_entwined) {
  const TempDir dir;
  dir.append("log", out_line(0, "a") + err_piece(1, "x1 ") + out_line(2, "b") + err_line(3, "x2"));
  EXPECT_EQ(tail(dir, 3), "a\nx1 b\nx2\n");
  EXPECT_EQ(tail(dir, 2), "x1 b\nx2\n");
  EXPECT_EQ(tail(dir, 1), "x2\n");  // the piece before another stream's line that is left out does not count
}

// Records of all sizes, so that block boundaries fall everywhere in them: in headers, at newlines, next to them.
TEST(log_tail, is_right_at_every_distance_from_block_boundaries) {
  const TempDir dir;
  std::string all;
  std::vector<std::size_t> starts;
  for (int i = 0; i < 2000; ++i) {
    starts.push_back(all.size());
    all += out_line(i, std::string(static_cast<std::size_t>(i * 7919 % 301), 'x'));
  }
  dir.append("log", all);
  const LogFiles files(dir.path());
  for (std::size_t lines = 1; lines <= starts.size(); ++lines) {
    ASSERT_EQ(position_for_tail(files, lines, both_streams()).offset, starts[starts.size() - lines]) << lines;
  }
}

TEST(log_tail, passes_garbage_of_any_length) {
  const TempDir dir;
  dir.append("log", out_line(0, "a") + out_line(1, "b") + std::string(3'000'000, 'g') + "\n" + out_line(2, "c") +
                        std::string(200'000, 't'));
  EXPECT_EQ(tail(dir, 1), "c\n");
  EXPECT_EQ(tail(dir, 2), "b\nc\n");
  EXPECT_EQ(tail(dir, 3), "a\nb\nc\n");
}

TEST(log_since, finds_the_first_record_of_any_time) {
  const TempDir dir;
  int next = 0;
  const auto records = [&next](int count) {
    std::string all;
    for (; count-- > 0; ++next) all += record(kStart + next * kSecond / 50, "stdout F", std::to_string(next));
    return all;
  };
  dir.append("log.2", records(4000));
  dir.append("log.1", "");
  dir.append("log", records(6000));
  const LogFiles files(dir.path());
  for (const int first : {0, 1, 49, 50, 2000, 3999, 4000, 4001, 4050, 4051, 7500, 9998, 9999}) {
    LogFilter filter = both_streams();
    for (const std::int64_t before : {0, 1}) {
      filter.since_ns = kStart + first * kSecond / 50 - before;
      std::string expected;
      for (int i = first; i < 10'000; ++i) expected += std::to_string(i) + "\n";
      const LogPosition position = position_for_since(files, *filter.since_ns);
      EXPECT_TRUE(text_from(position, filter) == expected) << first;
      EXPECT_TRUE(read_from(position).starts_with("2023-11-1")) << first;  // not within a record
      EXPECT_LT(read_from(position).size(), expected.size() + (first == 9999 ? 1 : 10'000U - first) * 60 + 80'000)
          << first;
    }
    filter.since_ns = kStart + first * kSecond / 50 + 1;
    const std::string text = text_from(position_for_since(files, *filter.since_ns), filter);
    EXPECT_EQ(text.substr(0, text.find('\n')), first == 9999 ? "" : std::to_string(first + 1));
  }
}

TEST(log_since, accepts_any_bound) {
  const TempDir dir;
  EXPECT_EQ(position_for_since(LogFiles(dir.path()), kStart).offset, 0U);
  dir.append("log.1", "garbage\n");
  dir.append("log", out_line(0, "a"));
  const LogFiles files(dir.path());
  EXPECT_EQ(position_for_since(files, std::numeric_limits<std::int64_t>::min()), files.begin());
  EXPECT_EQ(position_for_since(files, kStart), files.begin());
  EXPECT_EQ(position_for_since(files, std::numeric_limits<std::int64_t>::max()).segment, files.current());
}

TEST(log_since, bears_a_clock_that_was_set_back_a_little) {
  const TempDir dir;
  std::string all;
  for (int i = 0; i < 10'000; ++i) {
    all += record(kStart + i * kSecond / 100 - (i % 2 ? 900'000'000 : 0), "stdout F", std::to_string(i));
  }
  dir.append("log", all);
  const LogFiles files(dir.path());
  LogFilter filter = both_streams();
  filter.since_ns = kStart + 50 * kSecond;
  EXPECT_EQ(text_from(position_for_since(files, *filter.since_ns), filter), text_from(files.begin(), filter));
}

TEST(log_since, passes_garbage_in_the_middle) {
  const TempDir dir;
  std::string all;
  for (int i = 0; i < 2000; ++i) all += out_line(i, std::to_string(i));
  all += std::string(1'000'000, 'g') + "\n";
  for (int i = 2000; i < 4000; ++i) all += out_line(i, std::to_string(i));
  dir.append("log", all);
  const LogFiles files(dir.path());
  for (const int first : {10, 1000, 1999, 2000, 2001, 3990}) {
    LogFilter filter = both_streams();
    filter.since_ns = kStart + first * kSecond;
    const std::string text = text_from(position_for_since(files, *filter.since_ns), filter);
    EXPECT_EQ(text.substr(0, text.find('\n')), std::to_string(first));
  }
}

TEST(log_filter_position, is_the_later_one_of_tail_and_since) {
  const TempDir dir;
  std::string all;
  for (int i = 0; i < 5000; ++i) all += out_line(i, std::to_string(i));
  dir.append("log", all);
  const LogFiles files(dir.path());
  LogFilter filter = both_streams();
  EXPECT_EQ(position_for_filter(files, filter), files.begin());
  filter.since_ns = kStart + 4000 * kSecond;
  filter.tail = 2;
  EXPECT_EQ(text_from(position_for_filter(files, filter), filter), "4998\n4999\n");
  filter.since_ns = kStart + 4999 * kSecond;
  EXPECT_EQ(text_from(position_for_filter(files, filter), filter), "4999\n");
  filter.tail = 4500;
  filter.since_ns = kStart + 4998 * kSecond;
  EXPECT_EQ(text_from(position_for_filter(files, filter), filter), "4998\n4999\n");
}

}  // namespace
}  // namespace quoll::mgr
