#include "debug/profile.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "task/error.hpp"

namespace quoll::debug {
namespace {

// Protobuf by hand: profile.proto's messages hold only varints and length-delimited fields, which is these three
// functions; a library would be one more dependency for the sake of them.
void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}
void append_number(std::string& out, unsigned field, std::uint64_t value) {
  append_varint(out, field << 3);
  append_varint(out, value);
}
void append_bytes(std::string& out, unsigned field, std::string_view bytes) {
  append_varint(out, field << 3 | 2);
  append_varint(out, bytes.size());
  out.append(bytes);
}

// Field numbers of profile.proto.
namespace profile_field {
constexpr unsigned kSampleType = 1, kSample = 2, kLocation = 4, kFunction = 5, kStringTable = 6, kTimeNanos = 9,
                   kDurationNanos = 10, kPeriodType = 11, kPeriod = 12, kDefaultSampleType = 14;
}
namespace value_type_field {
constexpr unsigned kType = 1, kUnit = 2;
}
namespace sample_field {
constexpr unsigned kLocationId = 1, kValue = 2, kLabel = 3;
}
namespace label_field {
constexpr unsigned kKey = 1, kText = 2, kNumber = 3;
}
namespace location_field {
constexpr unsigned kId = 1, kAddress = 3, kLine = 4;
}
namespace line_field {
constexpr unsigned kFunctionId = 1, kLine = 2;
}
namespace function_field {
constexpr unsigned kId = 1, kName = 2, kSystemName = 3, kFileName = 4;
}

// True the first time for each index.
bool first_time(std::vector<bool>& written, std::size_t index) {
  if (index >= written.size()) written.resize(index + 64);
  if (written[index]) return false;
  written[index] = true;
  return true;
}

}  // namespace

ProfileWriter::ProfileWriter(const ProfileKind& kind, ProfileTimes times) {
  string_id("");  // the table's first must be empty
  const auto append_type = [this](unsigned field, const ValueType& value) {
    std::string type;
    append_number(type, value_type_field::kType, string_id(value.type));
    append_number(type, value_type_field::kUnit, string_id(value.unit));
    append_bytes(out_, field, type);
  };
  for (const ValueType& value : kind.values) append_type(profile_field::kSampleType, value);
  append_type(profile_field::kPeriodType, kind.period_type);
  append_number(out_, profile_field::kPeriod, static_cast<std::uint64_t>(kind.period));
  append_number(out_, profile_field::kTimeNanos, static_cast<std::uint64_t>(times.since_epoch.count()));
  if (times.duration) {
    append_number(out_, profile_field::kDurationNanos, static_cast<std::uint64_t>(times.duration->count()));
  }
  if (!kind.default_value.empty()) {
    append_number(out_, profile_field::kDefaultSampleType, string_id(kind.default_value));
  }
}

std::uint64_t ProfileWriter::string_id(std::string_view text) {
  const auto [known, added] = strings_.try_emplace(std::string(text), strings_.size());
  if (added) append_bytes(out_, profile_field::kStringTable, text);
  return known->second;
}

std::uint64_t ProfileWriter::function_id(const Place& place) {
  const std::uint64_t id = place.function_index + 1;
  if (!first_time(functions_, place.function_index)) return id;
  std::string function;
  append_number(function, function_field::kId, id);
  append_number(function, function_field::kName, string_id(place.function));
  append_number(function, function_field::kSystemName, string_id(place.function));
  append_number(function, function_field::kFileName, string_id(place.file));
  append_bytes(out_, profile_field::kFunction, function);
  return id;
}

std::uint64_t ProfileWriter::location_id(const Place& place) {
  const std::uint64_t id = place.index + 1;
  if (!first_time(locations_, place.index)) return id;
  std::string line;
  append_number(line, line_field::kFunctionId, function_id(place));
  append_number(line, line_field::kLine, place.line);
  std::string location;
  append_number(location, location_field::kId, id);
  append_number(location, location_field::kAddress, place.pc);
  append_bytes(location, location_field::kLine, line);
  append_bytes(out_, profile_field::kLocation, location);
  return id;
}

void ProfileWriter::add(std::span<const Place* const> stack, std::span<const std::int64_t> values,
                        std::span<const ProfileLabel> labels) {
  std::string sample;
  for (const Place* place : stack) append_number(sample, sample_field::kLocationId, location_id(*place));
  for (const std::int64_t value : values)
    append_number(sample, sample_field::kValue, static_cast<std::uint64_t>(value));
  for (const ProfileLabel& label : labels) {
    std::string encoded;
    append_number(encoded, label_field::kKey, string_id(label.name));
    if (label.text.empty()) {
      append_number(encoded, label_field::kNumber, static_cast<std::uint64_t>(label.number));
    } else {
      append_number(encoded, label_field::kText, string_id(label.text));
    }
    append_bytes(sample, sample_field::kLabel, encoded);
  }
  append_bytes(out_, profile_field::kSample, sample);
}

GzipStream::GzipStream() {
  constexpr int kWindowBits = 15 + 16;  // with gzip's header
  constexpr int kMemory = 8;
  if (deflateInit2(&stream_, Z_BEST_SPEED, Z_DEFLATED, kWindowBits, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw Error(ErrorClass::kResourceExhausted, "deflate: out of memory");
  }
}

GzipStream::~GzipStream() { deflateEnd(&stream_); }

std::string GzipStream::compress(std::string_view bytes, bool last) {
  std::string out;
  std::array<Bytef, 16 * 1024> buffer;
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib does not write there
  stream_.avail_in = static_cast<uInt>(bytes.size());
  do {
    stream_.next_out = buffer.data();
    stream_.avail_out = static_cast<uInt>(buffer.size());
    deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
    out.append(reinterpret_cast<const char*>(buffer.data()), buffer.size() - stream_.avail_out);
  } while (stream_.avail_out == 0);
  return out;
}

const ProfileKind& goroutine_kind() {
  static const ProfileKind kind{"goroutine", {{"goroutine", "count"}}, {"goroutine", "count"}, 1, {}};
  return kind;
}

std::string gzip_profile(const std::vector<Sample>& samples, ProfileTimes times) {
  ProfileWriter profile(goroutine_kind(), times);
  for (const auto& [key, count] : samples) {
    std::vector<ProfileLabel> labels;
    for (auto& [name, value] : labels_of(key)) labels.push_back({name, std::move(value)});
    profile.add(key.stack, std::span(&count, 1), labels);
  }
  return GzipStream().compress(profile.take(), true);
}

void add_task(ProfileWriter& profile, const TaskSummary& task) {
  if (task.frames.empty()) return;
  SampleKey key{task.frames, task.name, task.state, task.route, task.container};
  std::vector<ProfileLabel> labels;
  for (auto& [name, value] : labels_of(key)) labels.push_back({name, std::move(value)});
  using std::chrono::duration_cast;
  labels.push_back({"go::goroutine", {}, static_cast<std::int64_t>(task.id)});
  labels.push_back({"go::goroutine_created_by", task.created_at != nullptr ? task.created_at->function : "unknown"});
  labels.push_back({"go::goroutine_state", std::string(task::to_string(task.state))});
  labels.push_back({"go::goroutine_wait_minutes", {}, duration_cast<std::chrono::minutes>(task.waited).count()});
  labels.push_back({"worker", task.worker});
  if (task.parent() != 0) labels.push_back({"created_by", {}, static_cast<std::int64_t>(task.parent())});
  if (task.holder_id() != 0) labels.push_back({"held_by", {}, static_cast<std::int64_t>(task.holder_id())});
  // Not `request`: pprof takes numbers under that name for bytes.
  if (task.request_id != 0) labels.push_back({"request_id", {}, static_cast<std::int64_t>(task.request_id)});
  if (task.cancel_reason != task::CancelReason::kNone) {
    labels.push_back({"cancelled", std::string(task::to_string(task.cancel_reason))});
  }
  profile.add(task.frames, std::array<std::int64_t, 1>{1}, labels);
}

}  // namespace quoll::debug
