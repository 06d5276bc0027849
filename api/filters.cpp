#include "api/filters.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "mgr/log/timestamp.hpp"
#include "task/error.hpp"
#include "task/regular_expression.hpp"

namespace quoll::api {
namespace {

// "1h30m", "1.5s", "300ms": Go's form; nothing for any other text.
std::optional<std::int64_t> parse_go_duration(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                                                            {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const std::string_view unit = text.substr(0, text.find_first_of("0123456789."));
    const auto known = std::ranges::find_if(kUnits, [unit](const auto& each) { return each.first == unit; });
    if (known == std::end(kUnits)) return std::nullopt;
    total += number * known->second;
    text.remove_prefix(unit.size());
  }
  if (!(std::abs(total) < 9e18)) return std::nullopt;
  return static_cast<std::int64_t>(total);
}

bool has_match(const std::string& text, const std::string& expression) {
  const auto parsed = task::RegularExpression::parse(expression);
  return parsed && parsed->found_in(text);
}

}  // namespace

Filters::Filters(const std::optional<std::string>& json, std::initializer_list<std::string_view> known) {
  if (!json || json->empty()) return;
  const auto parsed = nlohmann::json::parse(*json, nullptr, false);
  if (!parsed.is_object()) throw Error(ErrorClass::kInvalidArgument, "invalid filter: not a JSON object");
  for (const auto& [key, values] : parsed.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw Error(ErrorClass::kInvalidArgument, "invalid filter '" + key + "'");
    }
    std::set<std::string>& wanted = values_[key];
    if (values.is_array()) {
      for (const auto& value : values) {
        if (!value.is_string()) throw Error(ErrorClass::kInvalidArgument, "invalid filter '" + key + "': not a string");
        wanted.insert(value.get<std::string>());
      }
    } else if (values.is_object()) {
      for (const auto& [value, enabled] : values.items()) {
        if (!enabled.is_boolean())
          throw Error(ErrorClass::kInvalidArgument, "invalid filter '" + key + "': not a boolean");
        if (enabled.get<bool>()) wanted.insert(value);
      }
    } else {
      throw Error(ErrorClass::kInvalidArgument, "invalid filter '" + key + "': neither list nor object");
    }
    if (wanted.empty()) values_.erase(key);
  }
}

const std::set<std::string>& Filters::values(std::string_view key) const {
  static const std::set<std::string> kNone;
  const auto found = values_.find(key);
  return found != values_.end() ? found->second : kNone;
}

bool Filters::matches(std::string_view key, const std::string& text) const {
  return any(key, [&text](const std::string& wanted) { return wanted == text || has_match(text, wanted); });
}

std::optional<bool> Filters::flag(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  const std::set<std::string>& given = values(key);
  const bool yes = given.contains("true") || given.contains("1");
  const bool no = given.contains("false") || given.contains("0");
  if (yes == no)
    throw Error(ErrorClass::kInvalidArgument, "invalid filter '" + std::string(key) + "=" + *given.begin() + "'");
  return yes;
}

bool Filters::match_labels(const std::map<std::string, std::string>& labels) const {
  const auto has = [&labels](const std::string& wanted) {
    const std::size_t equals = wanted.find('=');
    const auto label = labels.find(wanted.substr(0, equals));
    return label != labels.end() && (equals == std::string::npos || label->second == wanted.substr(equals + 1));
  };
  return std::ranges::all_of(values("label"), has) && std::ranges::none_of(values("label!"), has);
}

std::optional<std::int64_t> Filters::until_ns(std::int64_t now_ns) const {
  const std::set<std::string>& given = values("until");
  if (given.empty()) return std::nullopt;
  if (given.size() > 1) throw Error(ErrorClass::kInvalidArgument, "more than one until filter specified");
  const std::string& text = *given.begin();
  if (const auto duration = parse_go_duration(text)) return now_ns - *duration;
  // A day, or a time without a zone, is meant in UTC.
  if (const auto time = mgr::parse_rfc3339(text + "T00:00:00Z")) return time;
  if (const auto time = mgr::parse_rfc3339(text + "Z")) return time;
  return mgr::parse_query_time("until", text);
}

}  // namespace quoll::api
