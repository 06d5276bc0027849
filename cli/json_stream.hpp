// JsonStream: cuts a stream of JSON objects, with or without line breaks between them, into whole ones.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace quoll::cli {

// Limits: kObjectBytesMax for one object.
class JsonStream {
 public:
  static constexpr std::size_t kObjectBytesMax = 1024 * 1024;

  // Errors: Error{kResourceExhausted} where an object is longer than the limit.
  void feed(std::string_view bytes);
  // The text of the next whole object; nothing where more must be fed first.
  std::optional<std::string> next();

 private:
  std::string buffer_;
  std::size_t scanned_ = 0;
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace quoll::cli
