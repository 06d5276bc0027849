// JSON by appending: dumps have a million small objects, and a document model would cost more than the walk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quoll::debug {

// The text in quotes. What is not UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
void append_json_number(std::string& out, std::uint64_t value);
void append_json_number(std::string& out, std::int64_t value);

// The members of one object, between braces that it writes itself.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  ~JsonObject() { out_ += '}'; }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  // The caller appends the value next. `name` needs no escapes.
  std::string& member(std::string_view name) {
    out_ += first_ ? '"' : ',';
    if (!first_) out_ += '"';
    first_ = false;
    out_.append(name).append("\":");
    return out_;
  }
  void text(std::string_view name, std::string_view value) { append_json_string(member(name), value); }
  void number(std::string_view name, std::uint64_t value) { append_json_number(member(name), value); }
  void signed_number(std::string_view name, std::int64_t value) { append_json_number(member(name), value); }
  void flag(std::string_view name, bool value) { member(name) += value ? "true" : "false"; }

 private:
  std::string& out_;
  bool first_ = true;
};

// Calls append(item) for each item, with commas between and brackets around.
template <typename Items, typename F>
void append_json_array(std::string& out, const Items& items, F append) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    append(item);
  }
  out += ']';
}

}  // namespace quoll::debug
