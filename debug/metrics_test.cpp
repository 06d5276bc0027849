#include "debug/metrics.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace quoll::debug {
namespace {

TEST(metrics, the_text_form) {
  Metrics metrics;
  metrics.begin("quoll_tasks", MetricType::kGauge, "Live tasks by state.");
  metrics.add({{"state", "chan receive"}}, 3);
  metrics.add({{"state", "a\"b\\c\nd"}}, 1);
  metrics.begin("quoll_empty", MetricType::kGauge, "Never shown.");
  metrics.begin("quoll_seconds", MetricType::kHistogram, "Times.");
  metrics.add({{"le", "0.1"}}, 1, "_bucket");
  metrics.add({{"le", "+Inf"}}, 2, "_bucket");
  metrics.add({}, 0.25, "_sum");
  metrics.add({}, 2, "_count");
  metrics.add_one("quoll_limit", MetricType::kGauge, "A limit.", std::numeric_limits<double>::infinity());
  metrics.add_one("quoll_big_total", MetricType::kCounter, "A count.", 123456789012);
  EXPECT_EQ(prometheus_text(metrics),
            "# HELP quoll_tasks Live tasks by state.\n"
            "# TYPE quoll_tasks gauge\n"
            "quoll_tasks{state=\"chan receive\"} 3\n"
            "quoll_tasks{state=\"a\\\"b\\\\c\\nd\"} 1\n"
            "# HELP quoll_seconds Times.\n"
            "# TYPE quoll_seconds histogram\n"
            "quoll_seconds_bucket{le=\"0.1\"} 1\n"
            "quoll_seconds_bucket{le=\"+Inf\"} 2\n"
            "quoll_seconds_sum 0.25\n"
            "quoll_seconds_count 2\n"
            "# HELP quoll_limit A limit.\n"
            "# TYPE quoll_limit gauge\n"
            "quoll_limit +Inf\n"
            "# HELP quoll_big_total A count.\n"
            "# TYPE quoll_big_total counter\n"
            "quoll_big_total 123456789012\n");
}

}  // namespace
}  // namespace quoll::debug
