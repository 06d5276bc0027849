#include "mgr/container/container_state.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using Status = ContainerStatus;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
constexpr std::array kAll = {Status::kCreated,  Status::kRunning, Status::kPaused, Status::kRestarting,
                             Status::kRemoving, Status::kExited,  Status::kDead};

TEST(container_state, each_word_is_read_back) {
  for (const Status status : kAll) EXPECT_EQ(parse_container_status(to_string(status)), status);
  EXPECT_EQ(to_string(Status::kExited), "exited");
  EXPECT_THROW(parse_container_status("stopped"), Error);
}

TEST(container_state, allows_exactly_the_changes_of_the_table) {
  std::string allowed;
  for (const Status from : kAll) {
    for (const Status to : kAll) {
      if (can_change(from, to)) allowed += std::string(to_string(from)) + ">" + std::string(to_string(to)) + " ";
    }
  }
  EXPECT_EQ(
      allowed,
      "created>running created>removing running>paused running>restarting running>exited paused>running paused>exited "
      "restarting>running restarting>exited removing>dead exited>running exited>restarting exited>removing "
      "dead>removing ");
}

TEST(container_state, a_refused_change_leaves_the_state_as_it_was) {
  ContainerState state;
  const ContainerState before = state;
  try {
    state.change_to(Status::kPaused);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kConflict);
    EXPECT_EQ(error.message(), "a container that is created cannot become paused");
  }
  EXPECT_EQ(state, before);
}

TEST(container_state, predicates_follow_docker) {
  std::string start, stop, kill, remove, force;
  for (const Status status : kAll) {
    start += can_start(status) ? '1' : '0';
    stop += can_stop(status) ? '1' : '0';
    kill += can_kill(status) ? '1' : '0';
    remove += can_remove(status, false) ? '1' : '0';
    force += can_remove(status, true) ? '1' : '0';
  }
  // created running paused restarting removing exited dead
  EXPECT_EQ(start, "1000010");
  EXPECT_EQ(stop, "0111000");
  EXPECT_EQ(kill, "0110000");
  EXPECT_EQ(remove, "1000011");
  EXPECT_EQ(force, "1111011");
}

TEST(container_state, a_run_sets_and_clears_its_fields_together) {
  ContainerState state;
  state.mark_start_failed(127, "no such file");
  EXPECT_EQ(state.status, Status::kCreated);
  EXPECT_EQ(state.exit_code, 127);
  state.mark_running(42, 10);
  EXPECT_EQ(state.pid, 42);
  EXPECT_EQ(state.exit_code, 0);
  EXPECT_EQ(state.error, "");
  state.monitor_pid = 41;
  state.mark_exited(137, true, 20);
  EXPECT_EQ(state.status, Status::kExited);
  EXPECT_EQ(state.pid, 0);
  EXPECT_EQ(state.monitor_pid, 0);
  EXPECT_EQ(state.exit_code, 137);
  EXPECT_TRUE(state.oom_killed);
  EXPECT_EQ(state.finished_at_ns, 20);
  state.mark_running(43, 30);
  EXPECT_FALSE(state.oom_killed);
  EXPECT_EQ(state.finished_at_ns, 20);  // of the run before, as Docker shows it
}

TEST(container_state, inspect_json_computes_dockers_booleans) {
  ContainerState state;
  state.mark_running(42, 1'700'000'000'123'456'789);
  state.change_to(Status::kPaused);
  const nlohmann::json expected = {{"Status", "paused"},
                                   {"Running", true},
                                   {"Paused", true},
                                   {"Restarting", false},
                                   {"OOMKilled", false},
                                   {"Dead", false},
                                   {"Pid", 42},
                                   {"ExitCode", 0},
                                   {"Error", ""},
                                   {"StartedAt", "2023-11-14T22:13:20.123456789Z"},
                                   {"FinishedAt", "0001-01-01T00:00:00Z"}};
  EXPECT_EQ(state_inspect_json(state), expected);
}

TEST(container_state, stored_json_is_read_back_whole_and_damage_is_named) {
  ContainerState state{Status::kExited, 0, 7, 99, 3, "why", true, 11, 12, 5, 400, true};
  EXPECT_EQ(state_from_json(state_to_json(state)), state);
  nlohmann::json broken = state_to_json(state);
  broken.erase("exit_code");
  EXPECT_THROW(state_from_json(broken), Error);
  EXPECT_THROW(state_from_json(nlohmann::json::array()), Error);
}

struct DurationCase {
  int64_t duration_ns;
  const char* text;
};

TEST(container_state, durations_are_rounded_as_docker_rounds_them) {
  const DurationCase kCases[] = {
      {-5 * kSecond, "Less than a second"},
      {0, "Less than a second"},
      {kSecond - 1, "Less than a second"},
      {kSecond, "1 second"},
      {2 * kSecond - 1, "1 second"},
      {2 * kSecond, "2 seconds"},
      {kMinute - 1, "59 seconds"},
      {kMinute, "About a minute"},
      {2 * kMinute - 1, "About a minute"},
      {2 * kMinute, "2 minutes"},
      {kHour - 1, "59 minutes"},
      {kHour, "About an hour"},
      {kHour + 30 * kMinute - 1, "About an hour"},
      {kHour + 30 * kMinute, "2 hours"},
      {47 * kHour + 30 * kMinute - 1, "47 hours"},
      {47 * kHour + 30 * kMinute, "2 days"},
      {13 * kDay, "13 days"},
      {14 * kDay, "2 weeks"},
      {59 * kDay, "8 weeks"},
      {60 * kDay, "2 months"},
      {365 * kDay, "12 months"},
      {729 * kDay, "24 months"},
      {730 * kDay, "2 years"},
      {1095 * kDay, "3 years"},
  };
  for (const DurationCase& c : kCases) EXPECT_EQ(human_duration(c.duration_ns), c.text) << c.duration_ns;
}

TEST(container_state, human_status_reads_as_in_docker_ps) {
  ContainerState state;
  EXPECT_EQ(human_status(state, 0), "Created");
  state.mark_running(1, 100 * kSecond);
  EXPECT_EQ(human_status(state, 105 * kSecond), "Up 5 seconds");
  EXPECT_EQ(human_status(state, 165 * kSecond), "Up About a minute");
  state.change_to(Status::kPaused);
  EXPECT_EQ(human_status(state, 105 * kSecond), "Up 5 seconds (Paused)");
  state.mark_exited(0, false, 200 * kSecond);
  EXPECT_EQ(human_status(state, 380 * kSecond), "Exited (0) 3 minutes ago");
  state.change_to(Status::kRestarting);
  state.exit_code = 2;
  EXPECT_EQ(human_status(state, 201 * kSecond), "Restarting (2) 1 second ago");
  state.status = Status::kRemoving;
  EXPECT_EQ(human_status(state, 0), "Removal In Progress");
  state.change_to(Status::kDead);
  EXPECT_EQ(human_status(state, 0), "Dead");
}

TEST(container_state, times_are_rfc3339_without_trailing_zeros) {
  EXPECT_EQ(rfc3339_nano(1'700'000'000 * kSecond), "2023-11-14T22:13:20Z");
  EXPECT_EQ(rfc3339_nano(1'700'000'000 * kSecond + 120'000'000), "2023-11-14T22:13:20.12Z");
  EXPECT_EQ(rfc3339_nano(1'700'000'000 * kSecond + 1), "2023-11-14T22:13:20.000000001Z");
  EXPECT_EQ(rfc3339_nano(0), "0001-01-01T00:00:00Z");
}

}  // namespace
}  // namespace quoll::mgr
