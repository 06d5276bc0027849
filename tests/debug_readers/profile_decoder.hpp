// A small reader of gzipped profile.proto for tests: it checks what it reads and resolves all ids.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::debug_readers {

inline std::string gunzip(std::string_view bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) throw std::runtime_error("inflateInit2");
  std::string out;
  char buffer[4096];
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof buffer;
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer, sizeof buffer - stream.avail_out);
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END || stream.avail_in != 0) throw std::runtime_error("not one whole gzip stream");
  return out;
}

struct DecodedSample {
  std::vector<std::string> functions;  // leaf first
  std::vector<std::string> files;
  std::int64_t value = 0;
  std::map<std::string, std::string> text_labels;
  std::map<std::string, std::int64_t> number_labels;
};

struct DecodedProfile {
  std::string sample_type, sample_unit, period_type;
  std::int64_t period = 0, time_nanos = 0, duration_nanos = 0;
  std::vector<DecodedSample> samples;
};

class ProfileDecoder {
 public:
  static DecodedProfile decode(std::string_view gzipped) {
    ProfileDecoder decoder;
    const std::string bytes = gunzip(gzipped);
    return decoder.run(bytes);
  }

 private:
  struct Field {
    unsigned number;
    std::uint64_t value;
    std::string_view bytes;
  };

  static std::uint64_t varint(std::string_view& in) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (in.empty()) throw std::runtime_error("a varint is cut");
      const auto byte = static_cast<unsigned char>(in.front());
      in.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    throw std::runtime_error("a varint is too long");
  }

  static std::vector<Field> fields(std::string_view in) {
    std::vector<Field> all;
    while (!in.empty()) {
      const std::uint64_t key = varint(in);
      Field field{static_cast<unsigned>(key >> 3), 0, {}};
      if ((key & 7) == 0) {
        field.value = varint(in);
      } else if ((key & 7) == 2) {
        const std::uint64_t size = varint(in);
        if (size > in.size()) throw std::runtime_error("a field is cut");
        field.bytes = in.substr(0, size);
        in.remove_prefix(size);
      } else {
        throw std::runtime_error("a wire type that profile.proto has not");
      }
      all.push_back(field);
    }
    return all;
  }

  static std::uint64_t value_of(std::string_view message, unsigned number) {
    for (const Field& field : fields(message)) {
      if (field.number == number) return field.value;
    }
    return 0;
  }

  const std::string& text(std::uint64_t id) const { return strings_.at(id); }

  DecodedProfile run(std::string_view bytes) {
    DecodedProfile profile;
    const std::vector<Field> all = fields(bytes);
    for (const Field& field : all) {
      if (field.number == 6) strings_.emplace_back(field.bytes);
      if (field.number == 5) functions_[value_of(field.bytes, 1)] = field.bytes;
      if (field.number == 4) locations_[value_of(field.bytes, 1)] = field.bytes;
      if (field.number == 9) profile.time_nanos = static_cast<std::int64_t>(field.value);
      if (field.number == 10) profile.duration_nanos = static_cast<std::int64_t>(field.value);
      if (field.number == 12) profile.period = static_cast<std::int64_t>(field.value);
    }
    if (strings_.at(0) != "") throw std::runtime_error("the first string is not empty");
    for (const Field& field : all) {
      if (field.number == 1) {
        profile.sample_type = text(value_of(field.bytes, 1));
        profile.sample_unit = text(value_of(field.bytes, 2));
      }
      if (field.number == 11) profile.period_type = text(value_of(field.bytes, 1));
      if (field.number == 2) profile.samples.push_back(sample(field.bytes));
    }
    return profile;
  }

  DecodedSample sample(std::string_view bytes) const {
    DecodedSample sample;
    for (const Field& field : fields(bytes)) {
      if (field.number == 1) add_location(sample, locations_.at(field.value));
      if (field.number == 2) sample.value = static_cast<std::int64_t>(field.value);
      if (field.number == 3) add_label(sample, field.bytes);
    }
    if (sample.functions.empty()) throw std::runtime_error("a sample without a location");
    return sample;
  }

  void add_location(DecodedSample& sample, std::string_view location) const {
    for (const Field& field : fields(location)) {
      if (field.number != 4) continue;
      const std::string_view function = functions_.at(value_of(field.bytes, 1));
      sample.functions.push_back(text(value_of(function, 2)));
      sample.files.push_back(text(value_of(function, 4)));
    }
  }

  void add_label(DecodedSample& sample, std::string_view label) const {
    const std::string& key = text(value_of(label, 1));
    if (const std::uint64_t id = value_of(label, 2); id != 0) {
      sample.text_labels[key] = text(id);
    } else {
      sample.number_labels[key] = static_cast<std::int64_t>(value_of(label, 3));
    }
  }

  std::vector<std::string> strings_;
  std::map<std::uint64_t, std::string_view> functions_;
  std::map<std::uint64_t, std::string_view> locations_;
};

}  // namespace quoll::debug_readers
