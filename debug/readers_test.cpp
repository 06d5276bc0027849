// Go's own tools read what the encoders write: `go tool pprof` and panicparse, as Debian packages them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "debug/dump.hpp"
#include "debug/profile.hpp"
#include "task/channel.hpp"
#include "task/event.hpp"
#include "task/mutex.hpp"
#include "task/testing.hpp"

namespace quoll::debug {
namespace {

namespace fs = std::filesystem;
using task::Task;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

Task<void> read_log(task::Event& event) { co_await event.wait(); }
Task<void> logs_container(const task::Labels* labels, task::Event& event) {
  task::LabelScope in_force(labels);
  co_await read_log(event);
}
Task<void> hold(task::Mutex& mutex, task::Event& event) {
  auto guard = co_await mutex.lock();
  co_await event.wait();
}
template <typename T>
struct Box {
  Task<void> operator()(task::Event& event) { co_await event.wait(); }
  Task<void> operator/(task::Event& event) { co_await event.wait(); }
  Task<void> kept(task::Event& event) { co_await event.wait(); }
};

class ReadersTest : public testing::Test {
 protected:
  ReadersTest() {
    std::string pattern = (fs::temp_directory_path() / "quoll-readers-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    labels_.route = "/containers/{id}/logs";
    labels_.set_container("42", "4242");
    for (int i = 0; i < 7; ++i) test_.spawn(scope_, "api.logs", logs_container(&labels_, event_));
    test_.spawn(scope_, "holder", hold(mutex_, event_));
    test_.spawn(scope_, "waiter", hold(mutex_, event_));
    test_.spawn(scope_, "call", box_(event_));
    test_.spawn(scope_, "divide", box_ / event_);
    test_.spawn(scope_, "kept", box_.kept(event_));
    test_.poll();
    for (task::TaskRecord* record : test_.worker().tasks()) record->since_ns -= 125'000'000'000;
  }
  ~ReadersTest() override {
    event_.set();
    test_.poll();
    fs::remove_all(directory_);
  }

  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  void write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }
  // What a command prints. It must end with 0.
  std::string output_of(const std::string& command) const {
    const std::string environment = "HOME=" + directory_.string() + " PPROF_TMPDIR=" + directory_.string() + " ";
    FILE* const pipe = ::popen((environment + command + " 2>&1").c_str(), "r");
    std::string output;
    char buffer[4096];
    std::size_t n = 0;
    while ((n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0) output.append(buffer, n);
    const int status = ::pclose(pipe);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command << "\n" << output;
    return output;
  }
  void write_text() {
    DumpOptions options;
    options.files = FileNames::kGo;
    write("stacks.txt", test_.run(dump_text(test_.runtime(), options)));
  }
  std::vector<Sample> samples() { return test_.run(count_stacks(test_.runtime(), {})).sorted(); }
  void write_profile(const std::string& name) { write(name, gzip_profile(samples(), {std::chrono::seconds(1), {}})); }

  fs::path directory_;
  task::TestRuntime test_;
  task::Event event_;
  task::Mutex mutex_;
  task::Labels labels_;
  Box<std::function<void(int, const char*)>> box_;
  task::Scope scope_{"test.scope"};
};

TEST_F(ReadersTest, panicparse_groups_the_text_by_stacks) {
  write_text();
  const std::string output = output_of("panicparse -full-path " + path("stacks.txt"));
  EXPECT_THAT(output, ContainsRegex("7: sync.Cond.Wait"));
  EXPECT_THAT(output, HasSubstr("logs_container"));
  EXPECT_THAT(output, ContainsRegex("readers_test.cpp#.go:[0-9]+"));
  EXPECT_THAT(output, ContainsRegex("1: sync.Mutex.Lock"));
  EXPECT_THAT(output, HasSubstr("[Created by"));
  // What it cannot read it prints as it stands.
  EXPECT_THAT(output, Not(HasSubstr("goroutine ")));
}

TEST_F(ReadersTest, pprof_reads_debug_0) {
  write_profile("goroutine.pb.gz");
  const std::string top = output_of("go tool pprof -top " + path("goroutine.pb.gz"));
  EXPECT_THAT(top, HasSubstr("Type: goroutine"));
  EXPECT_THAT(top, ContainsRegex("7 +53.85%.*quoll::debug::read_log"));
  const std::string traces = output_of("go tool pprof -traces " + path("goroutine.pb.gz"));
  EXPECT_THAT(traces, HasSubstr("quoll::debug::logs_container"));
  EXPECT_THAT(traces, ContainsRegex("container: *c-42"));
  const std::string raw = output_of("go tool pprof -raw " + path("goroutine.pb.gz"));
  EXPECT_THAT(raw, HasSubstr("PeriodType: goroutine count"));
  EXPECT_THAT(raw, HasSubstr("debug/readers_test.cpp"));
}

TEST_F(ReadersTest, pprof_focuses_on_labels_and_finds_differences) {
  write_profile("before.pb.gz");
  test_.spawn(scope_, "api.logs", logs_container(&labels_, event_));
  test_.poll();
  write_profile("after.pb.gz");
  EXPECT_THAT(output_of("go tool pprof -top -tagfocus=container=c-42 " + path("before.pb.gz")),
              HasSubstr("quoll::debug::logs_container"));
  EXPECT_THAT(output_of("go tool pprof -top -tagfocus=container=c-43 " + path("before.pb.gz")),
              Not(HasSubstr("quoll::debug::logs_container")));
  EXPECT_THAT(output_of("go tool pprof -top -diff_base=" + path("before.pb.gz") + " " + path("after.pb.gz")),
              ContainsRegex("1 +[0-9.]+%.*quoll::debug::read_log"));
}

TEST_F(ReadersTest, pprof_reads_debug_1) {
  write("goroutine.txt", legacy_text(samples()));
  const std::string raw = output_of("go tool pprof -raw -symbolize=none " + path("goroutine.txt"));
  EXPECT_THAT(raw, HasSubstr("PeriodType: goroutine count"));
  EXPECT_THAT(raw, ContainsRegex("\n +7: 1 2"));
}

TEST_F(ReadersTest, pprof_reads_debug_3_and_its_tags) {
  ProfileWriter writer(goroutine_kind(), {std::chrono::seconds(1), {}});
  for (const TaskSummary& task : test_.run(list_tasks(test_.runtime()))) add_task(writer, task);
  write("tasks.pb.gz", GzipStream().compress(writer.take(), true));
  const std::string tags = output_of("go tool pprof -tags " + path("tasks.pb.gz"));
  EXPECT_THAT(tags, HasSubstr("go::goroutine_state"));
  EXPECT_THAT(tags, ContainsRegex("sync.Mutex.Lock"));
  EXPECT_THAT(tags, HasSubstr("go::goroutine_wait_minutes"));
  EXPECT_THAT(output_of("go tool pprof -top -tagroot=go::goroutine_state " + path("tasks.pb.gz")),
              HasSubstr("sync.Mutex.Lock"));
}

}  // namespace
}  // namespace quoll::debug
