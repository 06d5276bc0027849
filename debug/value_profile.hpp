// ValueProfile: what a profile other than goroutine has collected, and its two forms: profile.proto and Go's text.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "debug/place.hpp"
#include "debug/profile.hpp"

namespace quoll::debug {

using SampleLabels = std::vector<std::pair<std::string_view, std::string>>;

struct ValueSample {
  std::vector<const Place*> stack;   // innermost first, never empty
  SampleLabels labels;               // sorted by name
  std::vector<std::int64_t> values;  // as the kind has them
};

// Samples of equal stacks and labels are added up.
class ValueProfile {
 public:
  void add(ValueSample sample, std::int64_t sign = 1);
  // What has come since `before`.
  void subtract(const ValueProfile& before);

  // Those that are not all 0: highest last value first.
  std::vector<ValueSample> sorted() const;
  std::int64_t total(std::size_t value) const;

 private:
  std::map<std::pair<std::vector<const Place*>, SampleLabels>, std::vector<std::int64_t>> samples_;
};

// debug=0.
std::string gzip_profile(const ProfileKind& kind, const ValueProfile& profile, ProfileTimes times);

// debug=1, as Go writes it, so that pprof reads it: `head`, and for each sample what `count` says of it, its pcs, and
// its frames as comments.
using CountText = std::string (*)(const ValueSample&);
std::string legacy_text(std::string head, CountText count, const ValueProfile& profile);

}  // namespace quoll::debug
