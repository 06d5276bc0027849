// Reads a JSON object field by field, with Docker's leniency and with errors that name the field in full.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::mgr {

// A missing field and a null are the fallback; another type than asked for is kInvalidArgument. What nobody asked for
// is found by refuse_the_rest().
//
// Lifetime: refers to `object`.
class JsonFields {
 public:
  // `prefix` stands before the names in messages: "" or "HostConfig.". A null object has no fields.
  //
  // Errors: kInvalidArgument if it is neither object nor null.
  JsonFields(const nlohmann::json& object, std::string prefix);

  // Null if the field is missing or null.
  const nlohmann::json* value(std::string_view name);

  std::string text(std::string_view name, std::string fallback = "");
  bool flag(std::string_view name);
  int64_t number(std::string_view name, int64_t fallback = 0);
  std::optional<int64_t> optional_number(std::string_view name);

  std::vector<std::string> texts(std::string_view name);
  std::optional<std::vector<std::string>> optional_texts(std::string_view name);
  // As Docker reads commands: one string is a list of one.
  std::optional<std::vector<std::string>> words(std::string_view name);
  std::map<std::string, std::string> text_map(std::string_view name);
  // The keys of {"80/tcp": {}}.
  std::vector<std::string> keys(std::string_view name);
  // The elements of a list, each with the name it has in messages.
  const nlohmann::json::array_t& list(std::string_view name);

  std::string full_name(std::string_view name) const { return prefix_ + std::string(name); }

  // Errors: kNotImplemented for the first field that was not read and is no default value.
  void refuse_the_rest() const;

 private:
  const nlohmann::json& object_;
  const std::string prefix_;
  std::set<std::string, std::less<>> read_;
};

// Null, false, 0, "", and lists and objects of nothing but those.
bool is_default_value(const nlohmann::json& value, int depth = 0);

// The errors of this folder's parsers: "FIELD: problem", what dockerd says of it in words of its own, which its users
// know and some clients look for, and "FIELD is not supported yet".
[[noreturn]] void refuse_value(std::string_view field, std::string_view problem);
[[noreturn]] void refuse(std::string_view words);
[[noreturn]] void refuse_unsupported(std::string_view field);

}  // namespace quoll::mgr
