#include "debug/signal_dump.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "task/event.hpp"
#include "task/testing.hpp"
#include "tests/debug_readers/dump_parser.hpp"

namespace quoll::debug {
namespace {

namespace fs = std::filesystem;
using debug_readers::DumpParser;
using task::Task;
using testing::HasSubstr;
using testing::StartsWith;

class Directory {
 public:
  Directory() {
    std::string pattern = (fs::temp_directory_path() / "quoll-signal-dump-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Directory() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }
  std::vector<fs::path> files() const { return {fs::directory_iterator(path_), fs::directory_iterator()}; }

 private:
  fs::path path_;
};

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Log {
  std::string text;
  std::vector<std::string> lines;
  task::Event line_logged;

  SignalDumpOptions options(fs::path directory) {
    return {std::move(directory), [this](std::string_view piece) { text.append(piece); },
            [this](std::string_view line) {
              lines.emplace_back(line);
              line_logged.set();
            }};
  }
};

// What is between the marks.
std::string dumped(const std::string& text) {
  EXPECT_THAT(text, StartsWith(kDumpBegin));
  EXPECT_THAT(text, testing::EndsWith(kDumpEnd));
  return text.substr(kDumpBegin.size(), text.size() - kDumpBegin.size() - kDumpEnd.size());
}

TEST(signal_dump, writes_the_same_text_into_log_and_file) {
  task::TestRuntime test;
  Directory directory;
  Log log;
  const SignalDumpOptions options = log.options(directory.path());
  test.run(dump_to_log_and_file(test.runtime(), options));
  ASSERT_EQ(directory.files().size(), 1u);
  const fs::path path = directory.files()[0];
  EXPECT_THAT(path.filename().string(),
              testing::MatchesRegex("goroutine-stacks-[0-9]+-[0-9]+-[0-9]+T[0-9]+[.][0-9]+Z[.]log"));
  EXPECT_EQ(read_file(path), dumped(log.text));
  EXPECT_EQ(DumpParser::parse(dumped(log.text)).size(), 1u);
  EXPECT_THAT(log.lines, testing::ElementsAre("goroutine stacks written to " + path.string()));
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
}

TEST(signal_dump, a_file_that_cannot_be_made_is_logged_and_the_log_has_the_dump) {
  task::TestRuntime test;
  Log log;
  const SignalDumpOptions options = log.options("/nonexistent-directory");
  test.run(dump_to_log_and_file(test.runtime(), options));
  EXPECT_EQ(DumpParser::parse(dumped(log.text)).size(), 1u);
  ASSERT_EQ(log.lines.size(), 1u);
  EXPECT_THAT(log.lines[0], HasSubstr("No such file or directory"));
}

Task<void> signal_and_wait(Log* log) {
  // To this thread, which has the mask: a pool thread of an earlier test may not have gone yet.
  ::pthread_kill(::pthread_self(), SIGUSR1);
  co_await log->line_logged.wait();
  log->line_logged.reset();
}

TEST(signal_dump, each_signal_makes_a_dump_until_it_is_cancelled) {
  task::TestRuntime test;
  Directory directory;
  Log log;
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &before);
  {
    task::Scope scope("test.scope");
    test.spawn(scope, "dump on signal",
               dump_on_signal(test.runtime(), block_dump_signal(), log.options(directory.path())));
    test.run(signal_and_wait(&log));
    test.run(signal_and_wait(&log));
    EXPECT_EQ(directory.files().size(), 2u);
    scope.cancel(task::CancelReason::kShutdown);
    while (scope.size() > 0) test.worker().run_one_for(std::chrono::seconds(30));
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(signal_dump, cancelled_at_every_await_no_partial_file_is_left) {
  task::TestRuntime test;
  Directory directory;
  Log log;
  const SignalDumpOptions options = log.options(directory.path());
  std::size_t whole = 0;
  task::cancel_at_every_await(
      test, [&] { return dump_to_log_and_file(test.runtime(), options); },
      [&] {
        whole = 0;
        for (const fs::path& path : directory.files()) {
          EXPECT_EQ(path.extension(), ".log");
          ++whole;
        }
      });
  EXPECT_GE(whole, 1u);
}

}  // namespace
}  // namespace quoll::debug
