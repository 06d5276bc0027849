// Followers of one log: what each gets, whatever the others do, and that waiting ends.
#include "mgr/log/log_follower.hpp"

#include <gtest/gtest.h>

#include "mgr/log/log_test_support.hpp"
#include "mgr/log/log_watcher.hpp"
#include "task/error.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::mgr {
namespace {

using log_test::both_streams;
using log_test::FakeMonitor;
using log_test::kSecond;
using log_test::kStart;
using log_test::out_line;
using log_test::TempDir;

// A container's log with its watcher, on the test's own worker.
class log_follower : public testing::Test {
 protected:
  log_follower() : monitor_(dir_), hub_(make_hub({})) { watcher_.start(test_.worker()); }
  ~log_follower() override { test_.run(watcher_.stop()); }

  std::shared_ptr<LogHub> make_hub(LogLimits limits) {
    auto hub = std::make_shared<LogHub>(dir_.path(), limits, [this] { monitor_.reopen(); });
    hub->set_live();
    return hub;
  }

  std::unique_ptr<LogFollower> follow(LogFilter filter = both_streams(), bool follow = true) {
    return std::make_unique<LogFollower>(hub_, watcher_, filter, LogFraming::kRaw, follow);
  }

  // Collects all that a follower gives until its end.
  static task::Task<void> collect(LogFollower* follower, std::string* text, bool* ended) {
    while (const auto chunk = co_await follower->next()) *text += chunk->bytes.view();
    *ended = true;
  }

  // Runs until `done` holds, with the kernel's events coming in.
  template <typename F>
  void run_until(F done) {
    for (int turn = 0; turn < 2000 && !done(); ++turn) test_.worker().run_one_for(std::chrono::milliseconds(20));
    ASSERT_TRUE(done());
  }

  TempDir dir_;
  FakeMonitor monitor_;
  task::TestRuntime test_;
  LogWatcher watcher_;
  std::shared_ptr<LogHub> hub_;
};

TEST_F(log_follower, reads_what_is_there_and_ends_when_it_does_not_follow) {
  monitor_.write(out_line(1, "one") + out_line(2, "two"));
  const auto reader = follow(both_streams(), false);
  std::string text;
  bool ended = false;
  test_.run(collect(reader.get(), &text, &ended));
  EXPECT_EQ(text, "one\ntwo\n");
}

TEST_F(log_follower, gets_later_lines_and_ends_behind_the_last_line_of_an_ended_container) {
  monitor_.write(out_line(1, "one"));
  const auto reader = follow();
  std::string text;
  bool ended = false;
  task::Scope scope("test");
  test_.spawn(scope, "follower", collect(reader.get(), &text, &ended));
  run_until([&] { return text == "one\n"; });
  monitor_.write(out_line(2, "two"));
  run_until([&] { return text == "one\ntwo\n"; });
  EXPECT_FALSE(ended);
  monitor_.write(out_line(3, "three"));
  hub_->set_ended();
  run_until([&] { return ended; });
  EXPECT_EQ(text, "one\ntwo\nthree\n");
  run_until([&] { return scope.size() == 0; });
}

TEST_F(log_follower, waits_as_a_receiver_and_is_gone_when_it_is_cancelled) {
  const auto reader = follow();
  std::string text;
  bool ended = false;
  task::Scope scope("test");
  test_.spawn(scope, "follower", collect(reader.get(), &text, &ended));
  const auto waits = [&] {
    return std::ranges::any_of(test_.worker().tasks(), [](const auto* record) {
      return record->name == "follower" && record->state == task::TaskState::kChanReceive;
    });
  };
  run_until(waits);
  scope.cancel(task::CancelReason::kClientGone);
  run_until([&] { return scope.size() == 0; });
  EXPECT_FALSE(ended);
}

TEST_F(log_follower, ends_when_the_container_is_removed) {
  const auto reader = follow();
  std::string text;
  bool ended = false;
  task::Scope scope("test");
  test_.spawn(scope, "follower", collect(reader.get(), &text, &ended));
  test_.poll();
  hub_->close();
  run_until([&] { return ended; });
  run_until([&] { return scope.size() == 0; });
}

TEST_F(log_follower, fails_rather_than_ends_when_the_daemon_stops) {
  const auto reader = follow();
  hub_->release();
  std::string text;
  bool ended = false;
  EXPECT_THROW(test_.run(collect(reader.get(), &text, &ended)), Error);
  EXPECT_FALSE(ended);
}

TEST_F(log_follower, one_that_registers_after_removal_ends_too) {
  hub_->close();
  const auto reader = follow();
  std::string text;
  bool ended = false;
  test_.run(collect(reader.get(), &text, &ended));
  EXPECT_TRUE(ended);
}

TEST_F(log_follower, ends_at_until_while_it_waits) {
  LogFilter filter = both_streams();
  filter.until_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                        (std::chrono::system_clock::now() + std::chrono::milliseconds(50)).time_since_epoch())
                        .count();
  const auto reader = follow(filter);
  std::string text;
  bool ended = false;
  test_.run(collect(reader.get(), &text, &ended));
  EXPECT_TRUE(ended);
}

// Several followers that begin at different places and read at different speeds: each gets its lines once, in order.
TEST_F(log_follower, followers_of_different_starts_and_speeds_lose_and_double_nothing) {
  constexpr int kLines = 20'000;
  std::vector<std::unique_ptr<LogFollower>> readers;
  std::vector<std::string> texts(6);
  bool ended[6] = {};
  task::Scope scope("test");
  std::string expected;
  for (int line = 0; line < kLines; ++line) {
    const std::string text = "line " + std::to_string(line) + std::string(line % 97, 'x');
    expected += text + "\n";
    monitor_.write(out_line(line / 100, text));
    if (line % 4000 == 1000) {
      readers.push_back(follow());
      const std::size_t index = readers.size() - 1;
      test_.spawn(scope, "follower", collect(readers.back().get(), &texts[index], &ended[index]));
      test_.worker().run_one_for(std::chrono::milliseconds(1));
    }
    if (line % 500 == 0) test_.worker().run_one_for(std::chrono::milliseconds(1));
  }
  hub_->set_ended();
  run_until([&] { return scope.size() == 0; });
  for (std::size_t index = 0; index < readers.size(); ++index)
    EXPECT_EQ(texts[index], expected) << "follower " << index;
}

TEST_F(log_follower, rotation_under_a_follower_loses_nothing) {
  hub_ = make_hub({.max_size = 10'000, .max_files = 2});
  const auto reader = follow();
  std::string text;
  bool ended = false;
  task::Scope scope("test");
  test_.spawn(scope, "follower", collect(reader.get(), &text, &ended));
  std::string expected = "first\n";
  monitor_.write(out_line(0, "first"));
  run_until([&] { return !text.empty(); });
  for (int line = 0; line < 5000; ++line) {
    const std::string line_text = "line " + std::to_string(line);
    expected += line_text + "\n";
    monitor_.write(out_line(line, line_text));
    if (line % 50 == 0) test_.poll();
  }
  hub_->set_ended();
  run_until([&] { return ended; });
  run_until([&] { return scope.size() == 0; });
  EXPECT_EQ(text, expected);
  EXPECT_TRUE(dir_.has("log.1"));
  EXPECT_FALSE(dir_.has("log.2"));
}

TEST_F(log_follower, cancelled_anywhere_it_leaves_no_registration) {
  monitor_.write(out_line(1, "one"));
  auto run = [this]() -> task::Task<void> {
    const auto reader = follow();
    hub_->set_ended();
    while (co_await reader->next()) {
    }
    hub_->set_live();
  };
  task::cancel_at_every_await(test_, run, [this] { hub_->set_live(); });
}

TEST_F(log_follower, the_cache_is_shared_and_goes_with_its_followers) {
  const auto first = follow();
  const auto second = follow();
  monitor_.write(out_line(1, "one"));
  hub_->set_ended();
  std::string text;
  bool ended = false;
  test_.run(collect(first.get(), &text, &ended));
  const LogVariant variant{both_streams(), LogFraming::kRaw};
  EXPECT_NE(hub_->cached(hub_->files().begin(), variant), nullptr);
  hub_->remove_follower(1);
  hub_->remove_follower(2);
  EXPECT_EQ(hub_->cached(hub_->files().begin(), variant), nullptr);
}

}  // namespace
}  // namespace quoll::mgr
