// Metrics: numbers with names and labels, collected once and written as Prometheus' text or as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quoll::debug {

enum class MetricType : std::uint8_t { kCounter, kGauge, kHistogram };

using MetricLabels = std::vector<std::pair<std::string_view, std::string>>;

// Names and label names are of static storage, and by Prometheus' conventions: quoll_containers, _total for counters,
// the unit last.
class Metrics {
 public:
  struct Sample {
    std::string_view suffix;  // "_bucket", "_sum" or "_count" of a histogram
    MetricLabels labels;
    double value = 0;
  };
  struct Family {
    std::string_view name;
    MetricType type;
    std::string_view help;
    std::vector<Sample> samples;
  };

  // The samples that follow are of this family, which is new.
  void begin(std::string_view name, MetricType type, std::string_view help);
  void add(MetricLabels labels, double value, std::string_view suffix = {});
  // A family of one sample without labels.
  void add_one(std::string_view name, MetricType type, std::string_view help, double value);

  const std::vector<Family>& families() const { return families_; }

 private:
  std::vector<Family> families_;
};

// The text exposition format 0.0.4; its content type.
std::string prometheus_text(const Metrics& metrics);
inline constexpr std::string_view kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace quoll::debug
