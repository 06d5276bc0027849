// The `filters` parameter of list routes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace quoll::api {

// Docker's two forms, {"name": ["x"]} and {"name": {"x": true}}. Values of one key are alternatives; labels must all
// fit.
class Filters {
 public:
  // Errors: kInvalidArgument for what is not JSON of these forms, and for a key that is not in `known`.
  Filters(const std::optional<std::string>& json, std::initializer_list<std::string_view> known);

  // One more value of a key.
  void add(const std::string& key, std::string value) { values_[key].insert(std::move(value)); }
  bool has(std::string_view key) const { return values_.contains(key); }
  // Empty where the key was not given.
  const std::set<std::string>& values(std::string_view key) const;
  // True where the key was not given, or one of its values satisfies `fits`.
  template <typename F>
  bool any(std::string_view key, F fits) const {
    if (!has(key)) return true;
    for (const std::string& value : values(key)) {
      if (fits(value)) return true;
    }
    return false;
  }
  bool allows(std::string_view key, std::string_view value) const {
    return any(key, [value](const std::string& wanted) { return wanted == value; });
  }
  // True where the key was not given, or `text` is one of its values or has a match of one, which are regular
  // expressions then: "^web-[0-9]+$". A value that is none matches itself alone.
  bool matches(std::string_view key, const std::string& text) const;
  // The value of a filter that is true or false; nothing where it was not given. Errors: kInvalidArgument.
  std::optional<bool> flag(std::string_view key) const;
  // Every `label` filter ("key" or "key=value") is met, and no `label!` filter is.
  bool match_labels(const std::map<std::string, std::string>& labels) const;
  // The `until` of prune routes, in nanoseconds since 1970: a time, or a duration before `now_ns` ("1h30m").
  // Errors: kInvalidArgument.
  std::optional<std::int64_t> until_ns(std::int64_t now_ns) const;

 private:
  std::map<std::string, std::set<std::string>, std::less<>> values_;
};

}  // namespace quoll::api
