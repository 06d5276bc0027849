// debug=0, 1 and 3: counts, the legacy text by the expressions that pprof uses, and the protobuf by its own decoder.
#include "debug/profile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "debug/dump.hpp"
#include "debug/pprof_pages.hpp"
#include "task/event.hpp"
#include "task/testing.hpp"
#include "tests/debug_readers/profile_decoder.hpp"

namespace quoll::debug {
namespace {

using debug_readers::DecodedProfile;
using debug_readers::DecodedSample;
using debug_readers::ProfileDecoder;
using task::Task;

Task<void> inner(task::Event& event) { co_await event.wait(); }
Task<void> follow(task::Event& event) { co_await inner(event); }
Task<void> other(task::Event& event) { co_await event.wait(); }
Task<void> labelled(const task::Labels* labels, task::Event& event) {
  task::LabelScope in_force(labels);
  co_await inner(event);
}

class ProfileTest : public testing::Test {
 protected:
  ProfileTest() {
    labels_.route = "/containers/{id}/\"logs\"";
    labels_.set_container("42", "4242");
    labels_.request_id = 9;
    for (int i = 0; i < 5; ++i) test_.spawn(scope_, "follow", follow(event_));
    for (int i = 0; i < 2; ++i) test_.spawn(scope_, "other", other(event_));
    test_.spawn(scope_, "labelled", labelled(&labels_, event_));
    test_.poll();
  }
  ~ProfileTest() override {
    event_.set();
    test_.poll();
  }
  std::vector<Sample> samples() { return test_.run(count_stacks(test_.runtime(), {})).sorted(); }

  task::TestRuntime test_;
  task::Event event_;
  task::Labels labels_;
  task::Scope scope_{"test.scope"};
};

TEST_F(ProfileTest, equal_stacks_are_counted_and_the_most_come_first) {
  const std::vector<Sample> all = samples();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].second, 5);
  EXPECT_EQ(all[0].first.task, "follow");
  EXPECT_EQ(all[1].second, 2);
  EXPECT_EQ(all[1].first.task, "other");
  EXPECT_EQ(all[2].second, 1);
  EXPECT_EQ(all[3].second, 1);
}

TEST_F(ProfileTest, a_difference_leaves_out_what_has_not_changed) {
  StackCounts before = test_.run(count_stacks(test_.runtime(), {}));
  test_.spawn(scope_, "follow", follow(event_));
  test_.poll();
  StackCounts after = test_.run(count_stacks(test_.runtime(), {}));
  after.merge(before, -1);
  const std::vector<Sample> all = after.sorted();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].first.task, "follow");
  EXPECT_EQ(all[0].second, 1);
}

TEST_F(ProfileTest, legacy_text_is_what_pprofs_expressions_want) {
  const std::regex first(R"(^(\S+) profile: total \d+$)");
  const std::regex counts(R"(^(\d+) @(( 0x[0-9a-f]+)+)$)");
  const std::regex frame(R"(^#\t(0x[0-9a-f]+)\t(\S.*)\+0x[0-9a-f]+\t([^\t]+):(\d+)$)");
  std::istringstream text(legacy_text(samples()));
  std::string line;
  std::getline(text, line);
  EXPECT_EQ(line, "goroutine profile: total 9");
  EXPECT_TRUE(std::regex_match(line, first));
  int total = 0;
  int last_count = 1000;
  while (std::getline(text, line)) {
    std::smatch match;
    ASSERT_TRUE(std::regex_match(line, match, counts)) << line;
    EXPECT_LE(std::stoi(match[1]), last_count);
    last_count = std::stoi(match[1]);
    total += last_count;
    std::istringstream addresses(match[2].str());
    ASSERT_TRUE(std::getline(text, line));
    EXPECT_THAT(line, testing::StartsWith("# labels: {\""));
    for (std::string address; addresses >> address;) {
      ASSERT_TRUE(std::getline(text, line));
      std::smatch frame_match;
      ASSERT_TRUE(std::regex_match(line, frame_match, frame)) << line;
      EXPECT_EQ(frame_match[1], address);
      // As pprof asks, by the address before it.
      std::ostringstream asked;
      asked << "0x" << std::hex << std::stoull(address, nullptr, 16) - 1;
      EXPECT_EQ(symbolize(asked.str()), "num_symbols: 1\n" + asked.str() + " " + frame_match[2].str() + "\n");
    }
    ASSERT_TRUE(std::getline(text, line));
    EXPECT_EQ(line, "");
  }
  EXPECT_EQ(total, 9);
}

TEST_F(ProfileTest, labels_are_json_with_sorted_keys) {
  EXPECT_THAT(legacy_text(samples()),
              testing::HasSubstr(R"(# labels: {"container":"c-42","route":"/containers/{id}/\"logs\"",)"
                                 R"("state":"sync.Cond.Wait","task":"labelled"})"));
}

const DecodedSample& sample_of(const DecodedProfile& profile, const std::string& task) {
  for (const DecodedSample& sample : profile.samples) {
    const auto label = sample.text_labels.find("task");
    if (label != sample.text_labels.end() && label->second == task) return sample;
  }
  throw std::runtime_error("no sample of " + task);
}

TEST_F(ProfileTest, the_protobuf_has_types_stacks_counts_and_labels) {
  const auto time = std::chrono::nanoseconds(1'234'567'890'123);
  const DecodedProfile profile = ProfileDecoder::decode(gzip_profile(samples(), {time, std::chrono::seconds(2)}));
  EXPECT_EQ(profile.sample_type, "goroutine");
  EXPECT_EQ(profile.sample_unit, "count");
  EXPECT_EQ(profile.period_type, "goroutine");
  EXPECT_EQ(profile.period, 1);
  EXPECT_EQ(profile.time_nanos, time.count());
  EXPECT_EQ(profile.duration_nanos, 2'000'000'000);
  ASSERT_EQ(profile.samples.size(), 4u);
  const DecodedSample& follow_sample = sample_of(profile, "follow");
  EXPECT_EQ(follow_sample.value, 5);
  EXPECT_THAT(follow_sample.functions, testing::ElementsAre("quoll::debug::inner", "quoll::debug::follow"));
  EXPECT_THAT(follow_sample.files, testing::Each("debug/profile_test.cpp"));
  EXPECT_EQ(sample_of(profile, "labelled").text_labels.at("container"), "c-42");
}

TEST_F(ProfileTest, a_profile_without_duration_has_none) {
  EXPECT_EQ(ProfileDecoder::decode(gzip_profile(samples(), {})).duration_nanos, 0);
}

TEST_F(ProfileTest, a_difference_may_be_negative) {
  std::vector<Sample> all = samples();
  all[0].second = -3;
  EXPECT_EQ(ProfileDecoder::decode(gzip_profile(all, {})).samples[0].value, -3);
}

TEST_F(ProfileTest, one_sample_a_task_carries_its_id_creator_state_and_minutes) {
  for (task::TaskRecord* record : test_.worker().tasks()) record->since_ns -= 125'000'000'000;
  const std::vector<TaskSummary> tasks = test_.run(list_tasks(test_.runtime()));
  ProfileWriter writer(goroutine_kind(), {std::chrono::seconds(1), {}});
  GzipStream gzip;
  std::string bytes;
  // As it is streamed: piece by piece, each with what it is the first to need.
  for (const TaskSummary& task : tasks) {
    add_task(writer, task);
    bytes += gzip.compress(writer.take(), false);
  }
  bytes += gzip.compress({}, true);
  const DecodedProfile profile = ProfileDecoder::decode(bytes);
  EXPECT_EQ(profile.samples.size(), 9u);
  const DecodedSample& sample = sample_of(profile, "labelled");
  EXPECT_EQ(sample.value, 1);
  EXPECT_GT(sample.number_labels.at("go::goroutine"), 0);
  EXPECT_EQ(sample.number_labels.at("go::goroutine_wait_minutes"), 2);
  EXPECT_EQ(sample.number_labels.at("request_id"), 9);
  EXPECT_EQ(sample.text_labels.at("go::goroutine_state"), "sync.Cond.Wait");
  EXPECT_THAT(sample.text_labels.at("go::goroutine_created_by"), testing::HasSubstr("ProfileTest"));
}

TEST(pprof_pages, symbolize_leaves_out_what_no_function_has) {
  EXPECT_EQ(symbolize(""), "num_symbols: 1\n");
  EXPECT_EQ(symbolize("0x0+garbage+0x1++"), "num_symbols: 1\n");
}

TEST(pprof_pages, command_line_is_joined_by_nul_without_one_at_its_end) {
  const std::string text = command_line();
  EXPECT_THAT(text.substr(0, text.find('\0')), testing::HasSubstr("quoll_debug_test"));
  EXPECT_FALSE(text.ends_with('\0'));
}

}  // namespace
}  // namespace quoll::debug
