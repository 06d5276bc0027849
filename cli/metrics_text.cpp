#include "cli/metrics_text.hpp"

#include <cstdlib>

namespace quoll::cli {
namespace {

// The value of one label, with \\, \" and \n taken back.
std::optional<std::string> label_value(std::string_view labels, std::string_view label) {
  while (!labels.empty()) {
    const std::size_t equals = labels.find("=\"");
    if (equals == std::string_view::npos) return std::nullopt;
    std::string_view name = labels.substr(0, equals);
    name.remove_prefix(std::min(name.find_first_not_of(", "), name.size()));
    std::string value;
    std::size_t at = equals + 2;
    for (; at < labels.size() && labels[at] != '"'; ++at) {
      if (labels[at] == '\\' && at + 1 < labels.size()) ++at;
      value += labels[at] == 'n' && labels[at - 1] == '\\' ? '\n' : labels[at];
    }
    if (name == label) return value;
    labels.remove_prefix(std::min(at + 1, labels.size()));
  }
  return std::nullopt;
}

}  // namespace

MetricsText::MetricsText(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::size_t name_end = line.find_first_of("{ ");
    if (name_end == std::string_view::npos) continue;
    Sample sample{.name = std::string(line.substr(0, name_end)), .labels = {}};
    std::size_t value_at = name_end;
    if (line[name_end] == '{') {
      const std::size_t close = line.rfind('}');
      if (close == std::string_view::npos) continue;
      sample.labels = line.substr(name_end + 1, close - name_end - 1);
      value_at = close + 1;
    }
    sample.value = std::strtod(std::string(line.substr(value_at)).c_str(), nullptr);
    samples_.push_back(std::move(sample));
  }
}

std::optional<double> MetricsText::value(std::string_view name) const {
  for (const Sample& sample : samples_) {
    if (sample.name == name && sample.labels.empty()) return sample.value;
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, double>> MetricsText::by_label(std::string_view name, std::string_view label) const {
  std::vector<std::pair<std::string, double>> found;
  for (const Sample& sample : samples_) {
    if (sample.name != name) continue;
    if (auto value = label_value(sample.labels, label)) found.emplace_back(std::move(*value), sample.value);
  }
  return found;
}

}  // namespace quoll::cli
