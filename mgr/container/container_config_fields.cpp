#include "mgr/container/container_config_fields.hpp"

#include <cmath>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

// Deeper nesting than any field of Docker's has is not walked: it is no default.
constexpr int kDefaultDepthMax = 16;

const nlohmann::json kNoFields = nlohmann::json::object();

// A NUL would end the string early wherever the kernel reads it, so that what was checked is not what is used.
const std::string& without_nul(const std::string& text, const std::string& field) {
  if (text.find('\0') != std::string::npos) refuse_value(field, "contains a NUL character");
  return text;
}

std::string text_of(const nlohmann::json& value, const std::string& field) {
  if (!value.is_string()) refuse_value(field, "expected a string");
  return without_nul(value.get_ref<const std::string&>(), field);
}

std::vector<std::string> texts_of(const nlohmann::json& value, const std::string& field) {
  if (!value.is_array()) refuse_value(field, "expected a list of strings");
  std::vector<std::string> texts;
  for (const nlohmann::json& item : value) texts.push_back(text_of(item, field));
  return texts;
}

int64_t number_of(const nlohmann::json& value, const std::string& field) {
  if (value.is_number_unsigned()) {
    if (value.get<uint64_t>() > INT64_MAX) refuse_value(field, "number out of range");
    return static_cast<int64_t>(value.get<uint64_t>());
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) refuse_value(field, "expected a number");
  // Clients without integers write 1e9; all that a double holds exactly is taken.
  const double number = value.get<double>();
  if (std::trunc(number) != number) refuse_value(field, "expected a whole number");
  if (std::abs(number) > 9007199254740992.0) refuse_value(field, "number out of range");
  return static_cast<int64_t>(number);
}

}  // namespace

void refuse_value(std::string_view field, std::string_view problem) {
  throw Error(ErrorClass::kInvalidArgument, std::string(field).append(": ").append(problem));
}

void refuse(std::string_view words) { throw Error(ErrorClass::kInvalidArgument, std::string(words)); }

void refuse_unsupported(std::string_view field) {
  throw Error(ErrorClass::kNotImplemented, std::string(field).append(" is not supported yet"));
}

bool is_default_value(const nlohmann::json& value, int depth) {
  switch (value.type()) {
    case nlohmann::json::value_t::null:
      return true;
    case nlohmann::json::value_t::boolean:
      return !value.get<bool>();
    case nlohmann::json::value_t::string:
      return value.get_ref<const std::string&>().empty();
    case nlohmann::json::value_t::array:
    case nlohmann::json::value_t::object:
      return depth < kDefaultDepthMax &&
             std::all_of(
                 value.begin(), value.end(),
                 [&](const nlohmann::json& item) { return is_default_value(item, depth + 1); });
    default:
      return value.is_number() && value.get<double>() == 0;
  }
}

JsonFields::JsonFields(const nlohmann::json& object, std::string prefix)
    : object_(object.is_null() ? kNoFields : object), prefix_(std::move(prefix)) {
  if (object_.is_object()) return;
  const std::string name = prefix_.empty() ? "body" : prefix_.substr(0, prefix_.size() - 1);
  refuse_value(name, "expected an object");
}

const nlohmann::json* JsonFields::value(std::string_view name) {
  read_.emplace(name);
  const auto found = object_.find(std::string(name));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::string JsonFields::text(std::string_view name, std::string fallback) {
  const nlohmann::json* found = value(name);
  return found == nullptr ? std::move(fallback) : text_of(*found, full_name(name));
}

bool JsonFields::flag(std::string_view name) {
  const nlohmann::json* found = value(name);
  if (found == nullptr) return false;
  if (!found->is_boolean()) refuse_value(full_name(name), "expected true or false");
  return found->get<bool>();
}

int64_t JsonFields::number(std::string_view name, int64_t fallback) { return optional_number(name).value_or(fallback); }

std::optional<int64_t> JsonFields::optional_number(std::string_view name) {
  const nlohmann::json* found = value(name);
  if (found == nullptr) return std::nullopt;
  return number_of(*found, full_name(name));
}

std::vector<std::string> JsonFields::texts(std::string_view name) {
  return optional_texts(name).value_or(std::vector<std::string>());
}

std::optional<std::vector<std::string>> JsonFields::optional_texts(std::string_view name) {
  const nlohmann::json* found = value(name);
  if (found == nullptr) return std::nullopt;
  return texts_of(*found, full_name(name));
}

std::optional<std::vector<std::string>> JsonFields::words(std::string_view name) {
  const nlohmann::json* found = value(name);
  if (found == nullptr) return std::nullopt;
  if (found->is_string()) return std::vector<std::string>{found->get<std::string>()};
  return texts_of(*found, full_name(name));
}

std::map<std::string, std::string> JsonFields::text_map(std::string_view name) {
  std::map<std::string, std::string> map;
  const nlohmann::json* found = value(name);
  if (found == nullptr) return map;
  if (!found->is_object()) refuse_value(full_name(name), "expected an object of strings");
  for (const auto& [key, item] : found->items())
    map.emplace(without_nul(key, full_name(name)), text_of(item, full_name(name) + "." + key));
  return map;
}

std::vector<std::string> JsonFields::keys(std::string_view name) {
  std::vector<std::string> keys;
  const nlohmann::json* found = value(name);
  if (found == nullptr) return keys;
  if (!found->is_object()) refuse_value(full_name(name), "expected an object");
  for (const auto& [key, item] : found->items()) {
    if (!item.is_object() && !item.is_null()) refuse_value(full_name(name) + "." + key, "expected an object");
    keys.push_back(without_nul(key, full_name(name)));
  }
  return keys;
}

const nlohmann::json::array_t& JsonFields::list(std::string_view name) {
  static const nlohmann::json::array_t kNone;
  const nlohmann::json* found = value(name);
  if (found == nullptr) return kNone;
  if (!found->is_array()) refuse_value(full_name(name), "expected a list");
  return found->get_ref<const nlohmann::json::array_t&>();
}

void JsonFields::refuse_the_rest() const {
  for (const auto& [name, item] : object_.items()) {
    if (!read_.contains(name) && !is_default_value(item)) refuse_unsupported(full_name(name));
  }
}

}  // namespace quoll::mgr
