#include "debug/value_profile.hpp"

#include <algorithm>

#include "debug/samples.hpp"

namespace quoll::debug {
namespace {

bool more_valuable(const ValueSample& a, const ValueSample& b) {
  if (a.values.back() != b.values.back()) return a.values.back() > b.values.back();
  return std::lexicographical_compare(a.stack.begin(), a.stack.end(), b.stack.begin(), b.stack.end(),
                                      [](const Place* x, const Place* y) { return x->pc < y->pc; });
}

}  // namespace

void ValueProfile::add(ValueSample sample, std::int64_t sign) {
  std::vector<std::int64_t>& sum = samples_[{std::move(sample.stack), std::move(sample.labels)}];
  sum.resize(sample.values.size());
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += sign * sample.values[i];
}

void ValueProfile::subtract(const ValueProfile& before) {
  for (const auto& [key, values] : before.samples_) add({key.first, key.second, values}, -1);
}

std::vector<ValueSample> ValueProfile::sorted() const {
  std::vector<ValueSample> samples;
  for (const auto& [key, values] : samples_) {
    if (std::any_of(values.begin(), values.end(), [](std::int64_t value) { return value != 0; })) {
      samples.push_back({key.first, key.second, values});
    }
  }
  std::sort(samples.begin(), samples.end(), more_valuable);
  return samples;
}

std::int64_t ValueProfile::total(std::size_t value) const {
  std::int64_t sum = 0;
  for (const auto& [key, values] : samples_) sum += values.at(value);
  return sum;
}

std::string gzip_profile(const ProfileKind& kind, const ValueProfile& profile, ProfileTimes times) {
  ProfileWriter writer(kind, times);
  for (const ValueSample& sample : profile.sorted()) {
    std::vector<ProfileLabel> labels;
    for (const auto& [name, text] : sample.labels) labels.push_back({name, text});
    writer.add(sample.stack, sample.values, labels);
  }
  return GzipStream().compress(writer.take(), true);
}

std::string legacy_text(std::string head, CountText count, const ValueProfile& profile) {
  std::string out = std::move(head);
  for (const ValueSample& sample : profile.sorted()) {
    out.append(count(sample)).append(" @");
    append_pcs(out, sample.stack);
    append_labels_comment(out, sample.labels);
    append_frames_comment(out, sample.stack);
    out += "\n\n";
  }
  return out;
}

}  // namespace quoll::debug
