#include "debug/options.hpp"

#include <gtest/gtest.h>

#include <map>

#include "task/error.hpp"

namespace quoll::debug {
namespace {

DumpOptions parse(const std::map<std::string, std::string, std::less<>>& query) {
  return parse_dump_options([&](std::string_view name) -> std::optional<std::string> {
    const auto found = query.find(name);
    if (found == query.end()) return std::nullopt;
    return found->second;
  });
}

std::string refusal(const std::map<std::string, std::string, std::less<>>& query) {
  try {
    parse(query);
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
    return error.message();
  }
  return "accepted";
}

TEST(options, durations_are_gos) {
  using namespace std::chrono_literals;
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("30s"), 30s);
  EXPECT_EQ(parse_duration("2m"), 2min);
  EXPECT_EQ(parse_duration("1h30m"), 90min);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("0"), 0s);
  EXPECT_EQ(parse_duration("7us"), 7us);
  EXPECT_EQ(parse_duration("9ns"), 9ns);
  for (std::string_view bad : {"", "s", "5", "-1s", "1x", "1s2", "2 m", "1e3s", "inf", "nans", "99999999999h", "."}) {
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  }
}

TEST(options, states_are_the_words_of_the_dump) {
  for (int value = 0; value <= static_cast<int>(task::TaskState::kSyscall); ++value) {
    const auto state = static_cast<task::TaskState>(value);
    EXPECT_EQ(parse_state(task::to_string(state)), state);
  }
  EXPECT_EQ(parse_state("asleep"), std::nullopt);
  EXPECT_EQ(parse_state(""), std::nullopt);
}

TEST(options, reads_what_the_query_has) {
  const DumpOptions all = parse({{"match", "logs"}, {"state", "IO wait"}, {"min_wait", "2m"}, {"files", "go"}});
  EXPECT_EQ(all.match, "logs");
  EXPECT_EQ(all.state, task::TaskState::kIoWait);
  EXPECT_EQ(all.min_wait, std::chrono::minutes(2));
  EXPECT_EQ(all.files, FileNames::kGo);
  EXPECT_EQ(*parse({{"id", "17,4"}}).only, (std::unordered_set<std::uint64_t>{4, 17}));
  const DumpOptions none = parse({});
  EXPECT_EQ(none.only, nullptr);
  EXPECT_EQ(none.match, "");
  EXPECT_EQ(none.state, std::nullopt);
  EXPECT_EQ(none.min_wait.count(), 0);
  EXPECT_EQ(none.files, FileNames::kReal);
}

TEST(options, refuses_values_that_it_does_not_know_and_says_what_it_wants) {
  EXPECT_EQ(refusal({{"min_wait", "soon"}}),
            "invalid value for \"min_wait\": \"soon\" - must be a duration like 500ms, 30s or 2m");
  EXPECT_NE(refusal({{"state", "asleep"}}).find("one of: idle, runnable"), std::string::npos);
  for (const char* bad : {"x", "0", "1,", ",1", "1,,2", "1;2", "-1"}) {
    EXPECT_NE(refusal({{"id", bad}}).find("ids of tasks"), std::string::npos) << bad;
  }
  EXPECT_NE(refusal({{"files", "c"}}).find("\"go\""), std::string::npos);
}

}  // namespace
}  // namespace quoll::debug
