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

// Writes a goroutine profile piece by piece: a field of a protobuf message may come in any order and place, so each
// sample goes out with the strings, functions and locations that it is the first to need.
class ProfileWriter {
 public:
  // `duration`: of a profile that is a difference between two times.
  explicit ProfileWriter(std::chrono::nanoseconds since_epoch, std::optional<std::chrono::nanoseconds> duration = {});

  void add(std::span<const Place* const> stack, std::int64_t count, std::span<const ProfileLabel> labels);
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

// debug=0: a sample for each stack.
std::string gzip_profile(const std::vector<Sample>& samples, std::chrono::nanoseconds since_epoch,
                         std::optional<std::chrono::nanoseconds> duration = {});

// debug=3: adds one task as a sample of its own. What has no stack is left out.
void add_task(ProfileWriter& profile, const TaskSummary& task);

}  // namespace quoll::debug
