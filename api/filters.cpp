#include "api/filters.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "task/error.hpp"

namespace quoll::api {

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

bool Filters::match_labels(const std::map<std::string, std::string>& labels) const {
  const auto has = [&labels](const std::string& wanted) {
    const std::size_t equals = wanted.find('=');
    const auto label = labels.find(wanted.substr(0, equals));
    return label != labels.end() && (equals == std::string::npos || label->second == wanted.substr(equals + 1));
  };
  return std::ranges::all_of(values("label"), has) && std::ranges::none_of(values("label!"), has);
}

}  // namespace quoll::api
