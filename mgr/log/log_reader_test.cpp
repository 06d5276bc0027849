#include "mgr/log/log_reader.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "mgr/log/log_encoder.hpp"
#include "mgr/log/log_test_support.hpp"

namespace quoll::mgr {
namespace {

using log_test::both_streams;
using log_test::err_line;
using log_test::FakeMonitor;
using log_test::out_line;
using log_test::out_piece;
using log_test::read_all;
using log_test::read_from;
using log_test::TempDir;
using log_test::text_from;

TEST(log_reader, gives_whole_records_and_then_nothing) {
  const TempDir dir;
  dir.append("log", out_line(0, "a") + err_line(1, "b"));
  LogReader reader(LogFiles(dir.path()).begin());
  std::vector<char> buffer(kLogReadBytesMin);
  EXPECT_EQ(reader.read(buffer), out_line(0, "a") + err_line(1, "b"));
  EXPECT_EQ(reader.read(buffer), "");
  dir.append("log", out_line(2, "c"));
  EXPECT_EQ(reader.read(buffer), out_line(2, "c"));
  EXPECT_EQ(reader.read(buffer), "");
}

TEST(log_reader, an_empty_file_has_nothing) {
  const TempDir dir;
  dir.append("log", "");
  EXPECT_EQ(read_from(LogFiles(dir.path()).begin()), "");
}

TEST(log_reader, a_record_without_its_newline_stays_for_later) {
  const TempDir dir;
  const std::string last = out_line(1, "last");
  dir.append("log", out_line(0, "a") + last.substr(0, 10));
  LogReader reader(LogFiles(dir.path()).begin());
  EXPECT_EQ(read_all(reader), out_line(0, "a"));
  for (std::size_t at = 10; at + 1 < last.size(); ++at) {
    dir.append("log", last.substr(at, 1));
    EXPECT_EQ(read_all(reader), "");
  }
  dir.append("log", "\n");
  EXPECT_EQ(read_all(reader), last);
  EXPECT_EQ(reader.skipped_bytes(), 0U);
}

TEST(log_reader, records_that_straddle_its_buffer_are_not_cut) {
  const TempDir dir;
  std::string all;
  for (int i = 0; i < 3000; ++i)
    all += out_line(i, std::string(static_cast<std::size_t>(i % 97), 'x') + std::to_string(i));
  dir.append("log", all);
  LogReader reader(LogFiles(dir.path()).begin());
  std::vector<char> buffer(kLogReadBytesMin);
  std::string seen;
  for (std::string_view records; !(records = reader.read(buffer)).empty();) {
    EXPECT_EQ(records.back(), '\n');
    EXPECT_EQ(records.substr(0, 20).find("2023-11-1"), 0U);
    seen += records;
  }
  EXPECT_GT(all.size(), 3 * buffer.size());
  EXPECT_EQ(seen, all);
}

TEST(log_reader, a_limit_is_not_passed_in_its_segment_or_beyond) {
  const TempDir dir;
  dir.append("log.2", out_line(0, "a") + out_line(1, "b"));
  dir.append("log.1", out_line(2, "c"));
  dir.append("log", out_line(3, "d"));
  const LogFiles files(dir.path());
  const auto segments = files.segments();
  const std::uint64_t size = out_line(0, "a").size();
  const auto until = [&](std::size_t segment, std::uint64_t offset) {
    LogReader reader(files.begin());
    const LogPosition limit{segments[segment], offset, {}};
    const std::string records = read_all(reader, &limit);
    EXPECT_EQ(reader.position(), limit);
    return records;
  };
  EXPECT_EQ(until(0, 0), "");
  EXPECT_EQ(until(0, size), out_line(0, "a"));
  EXPECT_EQ(until(0, 2 * size), out_line(0, "a") + out_line(1, "b"));
  EXPECT_EQ(until(1, 0), out_line(0, "a") + out_line(1, "b"));
  EXPECT_EQ(until(2, size), out_line(0, "a") + out_line(1, "b") + out_line(2, "c") + out_line(3, "d"));
  LogReader beyond(LogPosition{segments[2], 0, {}});
  const LogPosition behind{segments[1], 1, {}};
  EXPECT_EQ(read_all(beyond, &behind), "");
}

TEST(log_reader, a_limit_within_a_record_leaves_that_record) {
  const TempDir dir;
  dir.append("log", out_line(0, "a") + out_line(1, "b"));
  const LogFiles files(dir.path());
  LogReader reader(files.begin());
  const LogPosition limit{files.current(), out_line(0, "a").size() + 5, {}};
  EXPECT_EQ(read_all(reader, &limit), out_line(0, "a"));
  EXPECT_EQ(read_all(reader), out_line(1, "b"));
}

TEST(log_reader, the_torn_end_of_a_final_file_is_dropped_and_counted) {
  const TempDir dir;
  dir.append("log.1", out_line(0, "a") + "2023-11-1");
  dir.append("log", out_line(1, "b"));
  LogReader reader(LogFiles(dir.path()).begin());
  EXPECT_EQ(read_all(reader), out_line(0, "a") + out_line(1, "b"));
  EXPECT_EQ(reader.skipped_bytes(), 9U);
}

TEST(log_reader, empty_segments_are_passed) {
  const TempDir dir;
  dir.append("log.3", "");
  dir.append("log.2", out_line(0, "a"));
  dir.append("log.1", "");
  dir.append("log", out_line(1, "b"));
  EXPECT_EQ(text_from(LogFiles(dir.path()).begin()), "a\nb\n");
}

TEST(log_reader, a_line_beyond_all_bounds_is_skipped) {
  const TempDir dir;
  dir.append("log",
             out_line(0, "a") + std::string(5 * kLogReadBytesMin + 1000, '\0') + out_line(1, "b") + out_line(2, "c"));
  LogReader reader(LogFiles(dir.path()).begin());
  LogEncoder encoder(both_streams(), LogFraming::kRaw);
  LogBytes out;
  encoder.encode(read_all(reader), out);
  EXPECT_EQ(out.view(), "a\nb\nc\n");
  EXPECT_GE(reader.skipped_bytes(), 4 * kLogReadBytesMin);
  EXPECT_EQ(encoder.malformed(), 1U);
}

TEST(log_reader, a_line_beyond_all_bounds_is_skipped_up_to_a_limit_too) {
  const TempDir dir;
  dir.append("log", std::string(3 * kLogReadBytesMin, '\0') + "\n" + out_line(0, "a"));
  const LogFiles files(dir.path());
  LogReader reader(files.begin());
  const LogPosition limit{files.current(), 2 * kLogReadBytesMin, {}};
  EXPECT_EQ(read_all(reader, &limit), "");
  EXPECT_EQ(reader.position(), limit);
  EXPECT_EQ(text_from(reader.position()), "a\n");
}

TEST(log_reader, sixteen_mebibytes_in_pieces_arrive_whole) {
  const TempDir dir;
  {
    std::string records;
    for (int i = 0; i < 2048; ++i) records += out_piece(i, std::string(8192, static_cast<char>('a' + i % 26)));
    dir.append("log", records + out_line(2048, ""));
  }
  const std::string text = text_from(LogFiles(dir.path()).begin());
  ASSERT_EQ(text.size(), 2048U * 8192 + 1);
  for (std::size_t i = 0; i < 2048; ++i) ASSERT_EQ(text[i * 8192 + i % 8192], static_cast<char>('a' + i % 26)) << i;
}

TEST(log_reader, an_old_segment_leads_to_every_later_record_though_all_files_are_unlinked) {
  const TempDir dir;
  FakeMonitor monitor(dir);
  std::string expected = out_line(0, "first");
  monitor.write(expected);
  LogReader reader(LogPosition{});
  {
    LogFiles files(dir.path());
    reader = LogReader(files.begin());
    for (int i = 1; i <= 10; ++i) {
      ASSERT_EQ(files.rotate(2,
                             [&] {
                               monitor.write(out_line(i, "before reopen"));
                               monitor.reopen();
                               monitor.write(out_line(i, "after"));
                             }),
                LogFiles::Rotation::kRotated);
      expected += out_line(i, "before reopen") + out_line(i, "after");
      ASSERT_TRUE(files.adopt_new());
    }
    EXPECT_EQ(files.segments().size(), 2U);
  }
  for (const char* name : {"log", "log.1"}) std::filesystem::remove(dir.file(name));
  EXPECT_EQ(read_all(reader), expected);
}

// Goal: no line is lost, doubled or reordered while a monitor writes at full speed and the log is rotated under the
// reader. Method: a writer thread that reopens when it is asked to, as the monitor does between two writes; this thread
// rotates and reads in turn, and a second reader only follows the chain. The writer never gets further ahead of the
// rotations than kLinesPerRotation, which is more than what makes a rotation due.
TEST(log_reader, every_line_arrives_once_and_in_order_under_rotation) {
  constexpr int kLines = 60'000;
  constexpr int kLinesPerRotation = 6'000;
  constexpr std::uint64_t kRotateBytes = 100'000;
  const TempDir dir;
  LogFiles files(dir.path());
  std::atomic<bool> reopen_wanted = false;
  std::atomic<bool> written = false;

  std::thread writer([&] {
    FakeMonitor monitor(dir);
    std::string batch;
    int reopens = 0;
    for (int i = 0; i < kLines; ++i) {
      while (reopens < i / kLinesPerRotation && !reopen_wanted) std::this_thread::yield();
      if (reopen_wanted.exchange(false)) {
        monitor.write(batch);
        batch.clear();
        monitor.reopen();
        ++reopens;
      }
      batch += out_line(i / 1000, std::to_string(i));
      if (i % 7 == 0) {
        monitor.write(std::string_view(batch).substr(0, batch.size() / 2));  // a write that is seen half done
        monitor.write(std::string_view(batch).substr(batch.size() / 2));
        batch.clear();
      }
    }
    monitor.write(batch);
    written = true;
  });

  const LogPosition begin = files.begin();
  const auto follow = [&](auto each_turn) {
    LogReader reader(begin);
    LogEncoder encoder(both_streams(), LogFraming::kRaw);
    LogBytes text;
    std::vector<char> buffer(kLogReadBytesMin);
    for (;;) {
      const bool last_turn = written;
      each_turn();
      const std::string_view records = reader.read(buffer);
      encoder.encode(records, text);
      if (records.empty() && last_turn && !reader.position().segment->next()) break;
      if (records.empty()) std::this_thread::yield();
    }
    EXPECT_EQ(reader.skipped_bytes(), 0U);
    EXPECT_EQ(encoder.malformed(), 0U);
    return std::string(text.view());
  };

  std::string followed;
  std::thread follower([&] { followed = follow([&] { files.adopt_new(); }); });
  int rotations = 0;
  const std::string seen = follow([&] {
    files.adopt_new();
    if (files.current()->size() < kRotateBytes) return;
    if (files.rotate(2, [&] { reopen_wanted = true; }) == LogFiles::Rotation::kRotated) ++rotations;
  });
  writer.join();
  follower.join();

  std::string expected;
  for (int i = 0; i < kLines; ++i) expected += std::to_string(i) + "\n";
  EXPECT_TRUE(seen == expected) << seen.size() << " of " << expected.size();
  EXPECT_TRUE(followed == expected) << followed.size() << " of " << expected.size();
  EXPECT_GE(rotations, kLines / kLinesPerRotation - 1);
}

}  // namespace
}  // namespace quoll::mgr
