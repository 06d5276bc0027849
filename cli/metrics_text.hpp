// MetricsText: numbers out of Prometheus' text format, which /metrics answers with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quoll::cli {

// Lines that it does not understand are passed over.
class MetricsText {
 public:
  explicit MetricsText(std::string_view text);

  // Of a sample without labels.
  std::optional<double> value(std::string_view name) const;
  // Of all samples of that name that have the label: its value and the number.
  std::vector<std::pair<std::string, double>> by_label(std::string_view name, std::string_view label) const;

 private:
  struct Sample {
    std::string name;
    std::string labels;  // as they stand between the braces
    double value = 0;
  };
  std::vector<Sample> samples_;
};

}  // namespace quoll::cli
