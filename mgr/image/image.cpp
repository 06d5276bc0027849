#include "mgr/image/image.hpp"

#include <charconv>
#include <chrono>
#include <optional>

#include "mgr/image/digest.hpp"
#include "mgr/image/image_config_types.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr int kNestingMax = 64;
// Docker's bound on the length of a chain of layers.
constexpr std::size_t kLayersMax = 127;

[[noreturn]] void refuse(std::string message) { throw Error(ErrorClass::kInvalidArgument, std::move(message)); }

std::optional<int> number_at(std::string_view text, std::size_t position, std::size_t length) {
  if (position + length > text.size()) return std::nullopt;
  int value = 0;
  const char* begin = text.data() + position;
  const auto [end, error] = std::from_chars(begin, begin + length, value);
  if (error != std::errc() || end != begin + length) return std::nullopt;
  return value;
}

std::vector<std::string> diff_ids_of(const json& config) {
  const auto rootfs = config.find("rootfs");
  if (rootfs == config.end() || !rootfs->is_object()) refuse("image configuration has no rootfs");
  if (json_string(*rootfs, "type") != "layers") refuse("image configuration: rootfs is not made of layers");
  std::vector<std::string> diff_ids;
  const auto listed = rootfs->find("diff_ids");
  if (listed == rootfs->end() || listed->is_null()) return diff_ids;
  if (!listed->is_array()) refuse("image configuration: diff_ids is no list");
  if (listed->size() > kLayersMax) refuse("image configuration: max depth exceeded");
  for (const json& value : *listed) {
    if (!value.is_string() || !is_sha256_digest(value.get_ref<const std::string&>())) {
      refuse("image configuration: invalid diff id");
    }
    diff_ids.push_back(value.get<std::string>());
  }
  return diff_ids;
}

}  // namespace

std::int64_t rfc3339_seconds(std::string_view text) {
  const auto year = number_at(text, 0, 4), month = number_at(text, 5, 2), day = number_at(text, 8, 2);
  const auto hour = number_at(text, 11, 2), minute = number_at(text, 14, 2), second = number_at(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return 0;
  const std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return 0;
  std::int64_t seconds = std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86400};
  seconds += *hour * 3600 + *minute * 60 + *second;
  const auto zone = text.find_first_of("+-", 19);
  if (zone != text.npos) {
    const auto zone_hours = number_at(text, zone + 1, 2), zone_minutes = number_at(text, zone + 4, 2);
    if (!zone_hours || !zone_minutes) return 0;
    const int offset = *zone_hours * 3600 + *zone_minutes * 60;
    seconds += text[zone] == '+' ? -offset : offset;
  }
  return seconds;
}

json Image::container_config() const {
  const auto inner = config.find("config");
  return inner != config.end() && inner->is_object() ? *inner : json::object();
}

std::map<std::string, std::string> Image::labels() const {
  std::map<std::string, std::string> labels;
  const nlohmann::json container = container_config();
  const auto found = container.find("Labels");
  if (found == container.end() || !found->is_object()) return labels;
  for (const auto& [key, value] : found->items()) {
    if (value.is_string()) labels[key] = value.get<std::string>();
  }
  return labels;
}

json parse_untrusted_json(std::string_view text, std::string_view what) {
  const auto check_depth = [&](int depth, json::parse_event_t, json&) {
    if (depth > kNestingMax) refuse(std::string(what) + ": nested too deeply");
    return true;
  };
  try {
    return json::parse(text, check_depth);
  } catch (const json::exception&) {
    refuse(std::string(what) + ": invalid JSON");
  }
}

bool is_empty_layer(const json& step) {
  const auto value = step.is_object() ? step.find("empty_layer") : step.end();
  return step.is_object() && value != step.end() && *value == true;
}

std::string json_string(const json& object, std::string_view key) {
  if (!object.is_object()) return {};
  const auto value = object.find(key);
  return value != object.end() && value->is_string() ? value->get<std::string>() : std::string();
}

Image parse_image_config(std::string_view text) {
  Image image;
  image.config = parse_untrusted_json(text, "image configuration");
  if (!image.config.is_object()) refuse("image configuration is no object");
  check_config_types(image.config);
  image.id = sha256_digest(text);
  image.diff_ids = diff_ids_of(image.config);
  std::string chain;
  for (const std::string& diff_id : image.diff_ids) {
    chain = chain_id(chain, diff_id);
    image.chain_ids.push_back(chain);
  }
  image.created = json_string(image.config, "created");
  image.created_seconds = rfc3339_seconds(image.created);
  image.architecture = json_string(image.config, "architecture");
  image.os = json_string(image.config, "os");
  image.variant = json_string(image.config, "variant");
  return image;
}

}  // namespace quoll::mgr
