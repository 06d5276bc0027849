#include "cli/metrics_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quoll::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(metrics_text, finds_samples_with_and_without_labels) {
  const MetricsText metrics(
      "# HELP a Help.\n# TYPE a gauge\na 1.5e3\n"
      "tasks{state=\"IO wait\"} 12\ntasks{x=\"1\",state=\"a\\\"b\\\\c\"} 3\nbroken{\nb");
  EXPECT_EQ(metrics.value("a"), 1500);
  EXPECT_EQ(metrics.value("tasks"), std::nullopt);
  EXPECT_EQ(metrics.value("b"), std::nullopt);
  EXPECT_THAT(metrics.by_label("tasks", "state"), ElementsAre(Pair("IO wait", 12), Pair("a\"b\\c", 3)));
  EXPECT_THAT(metrics.by_label("tasks", "absent"), IsEmpty());
  EXPECT_THAT(MetricsText("").by_label("tasks", "state"), IsEmpty());
}

}  // namespace
}  // namespace quoll::cli
