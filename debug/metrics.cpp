#include "debug/metrics.hpp"

#include <charconv>
#include <cmath>

#include "task/assert.hpp"

namespace quoll::debug {
namespace {

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "untyped";
}

void append_value(std::string& out, double value) {
  if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  char digits[64];
  // Whole numbers without an exponent, up to where a double has them all.
  const bool whole = std::floor(value) == value && std::abs(value) < 1e15;
  const auto written = whole ? std::to_chars(digits, digits + sizeof digits, static_cast<std::int64_t>(value))
                             : std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, written.ptr);
}

void append_label_value(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

void append_sample(std::string& out, const Metrics::Family& family, const Metrics::Sample& sample) {
  out.append(family.name).append(sample.suffix);
  char before = '{';
  for (const auto& [name, value] : sample.labels) {
    out += std::exchange(before, ',');
    out.append(name).append("=\"");
    append_label_value(out, value);
    out += '"';
  }
  if (!sample.labels.empty()) out += '}';
  out += ' ';
  append_value(out, sample.value);
  out += '\n';
}

}  // namespace

void Metrics::begin(std::string_view name, MetricType type, std::string_view help) {
  families_.push_back({name, type, help, {}});
}

void Metrics::add(MetricLabels labels, double value, std::string_view suffix) {
  QUOLL_ASSERT(!families_.empty());
  families_.back().samples.push_back({suffix, std::move(labels), value});
}

void Metrics::add_one(std::string_view name, MetricType type, std::string_view help, double value) {
  begin(name, type, help);
  add({}, value);
}

std::string prometheus_text(const Metrics& metrics) {
  std::string out;
  for (const Metrics::Family& family : metrics.families()) {
    if (family.samples.empty()) continue;
    out.append("# HELP ").append(family.name).append(" ").append(family.help).append("\n");
    out.append("# TYPE ").append(family.name).append(" ").append(type_name(family.type)).append("\n");
    for (const Metrics::Sample& sample : family.samples) append_sample(out, family, sample);
  }
  return out;
}

}  // namespace quoll::debug
