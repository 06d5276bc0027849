// profile.proto, as pprof reads it, in gzip.
#pragma once

#include <zlib.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "debug/place.hpp"
#include "debug/samples.hpp"
#include "debug/summary.hpp"

namespace quoll::debug {

// A label of a sample: a string, or a number where `text` is empty.
struct ProfileLabel {
  std::string_view name;
  std::string text;
  std::int64_t number = 0;
};

struct ValueType {
  std::string_view type;
  std::string_view unit;
};

// What a profile's values are. The views are of static storage.
struct ProfileKind {
  std::string_view name;  // in file names and in the text form
  std::vector<ValueType> values;
  ValueType period_type;
  std::int64_t period = 1;
  std::string_view default_value;  // the type that is shown first; "" for the last
};

// When it was taken; `duration` of one that is a difference between two times, or was collected for that long.
struct ProfileTimes {
  std::chrono::nanoseconds since_epoch{0};
  std::optional<std::chrono::nanoseconds> duration;
};

// Writes a profile piece by piece: a field of a protobuf message may come in any order and place, so each
// sample goes out with the strings, functions and locations that it is the first to need.
class ProfileWriter {
 public:
  ProfileWriter(const ProfileKind& kind, ProfileTimes times);

  // REQUIRES: as many values as the kind has.
  void add(std::span<const Place* const> stack, std::span<const std::int64_t> values,
           std::span<const ProfileLabel> labels);
  // What has been written since the last call.
  std::string take() { return std::exchange(out_, {}); }

 private:
  std::uint64_t string_id(std::string_view text);
  std::uint64_t function_id(const Place& place);
  std::uint64_t location_id(const Place& place);

  std::string out_;
  std::unordered_map<std::string, std::uint64_t> strings_;
  std::vector<bool> functions_;  // by Place::function_index: written
  std::vector<bool> locations_;  // by Place::index: written
};

// Thread: one at a time.
class GzipStream {
 public:
  GzipStream();
  ~GzipStream();
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  // What can be sent so far; with `last` all of it.
  std::string compress(std::string_view bytes, bool last);

 private:
  z_stream stream_{};
};

const ProfileKind& goroutine_kind();

// debug=0: a sample for each stack.
std::string gzip_profile(const std::vector<Sample>& samples, ProfileTimes times);

// debug=3: adds one task as a sample of its own. What has no stack is left out.
void add_task(ProfileWriter& profile, const TaskSummary& task);

}  // namespace quoll::debug
