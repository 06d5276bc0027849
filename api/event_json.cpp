#include "api/event_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace quoll::api {
namespace {

std::string attribute(const mgr::Event& event, const std::string& key) {
  const auto found = event.attributes.find(key);
  return found != event.attributes.end() ? found->second : "";
}

bool match_action(const Filters& filters, const std::string& action) {
  const auto& wanted = filters.values("event");
  const bool by_prefix =
      wanted.contains("health_status") || wanted.contains("exec_create") || wanted.contains("exec_start");
  return filters.any(
      "event", [&](const std::string& value) { return value == action || (by_prefix && action.starts_with(value)); });
}

bool match_object(const Filters& filters, const mgr::Event& event, std::string_view type) {
  return filters.any(type, [&](const std::string& wanted) {
    return event.actor_id.starts_with(wanted) || attribute(event, "name").starts_with(wanted);
  });
}

// "busybox:1.36" and "busybox@sha256:..." as "busybox"; the port of a registry stays.
std::string without_tag(const std::string& image) {
  const std::string name = image.substr(0, image.find('@'));
  const std::size_t colon = name.rfind(':');
  return colon == std::string::npos || name.find('/', colon) != std::string::npos ? name : name.substr(0, colon);
}

bool match_image(const Filters& filters, const mgr::Event& event) {
  const std::string name = attribute(event, event.type == "image" ? "name" : "image");
  return filters.any("image", [&](const std::string& wanted) {
    return wanted == event.actor_id || wanted == name || wanted == without_tag(event.actor_id) ||
           wanted == without_tag(name);
  });
}

}  // namespace

nlohmann::json event_json(const mgr::Event& event) {
  nlohmann::json json{{"Type", event.type},
                      {"Action", event.action},
                      {"Actor", {{"ID", event.actor_id}, {"Attributes", event.attributes}}},
                      {"scope", "local"},
                      {"time", event.time_ns / 1'000'000'000},
                      {"timeNano", event.time_ns}};
  if (event.type == "container" || event.type == "image") {
    json["status"] = event.action;
    json["id"] = event.actor_id;
  }
  if (event.type == "container") json["from"] = attribute(event, "image");
  return json;
}

bool match_event(const Filters& filters, const mgr::Event& event) {
  static constexpr const char* kObjects[] = {"container", "network", "volume", "plugin", "daemon"};
  return filters.allows("type", event.type) && filters.allows("scope", "local") &&
         match_action(filters, event.action) && match_image(filters, event) &&
         std::ranges::all_of(kObjects, [&](const char* type) { return match_object(filters, event, type); }) &&
         filters.match_labels(event.attributes);
}

}  // namespace quoll::api
