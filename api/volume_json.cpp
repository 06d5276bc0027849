#include "api/volume_json.hpp"

#include "mgr/log/timestamp.hpp"

namespace quoll::api {

using nlohmann::json;

json volume_json(const mgr::Volume& volume) {
  return {{"CreatedAt", mgr::format_timestamp(volume.created_ns)},
          {"Driver", "local"},
          {"Labels", volume.labels.empty() ? json() : json(volume.labels)},
          {"Mountpoint", volume.mountpoint},
          {"Name", volume.name},
          {"Options", volume.options.empty() ? json() : json(volume.options)},
          {"Scope", "local"}};
}

json volume_usage_json(const mgr::VolumeUsage& usage) {
  json answer = volume_json(*usage.volume);
  answer["UsageData"] = {{"RefCount", usage.containers}, {"Size", usage.bytes}};
  return answer;
}

}  // namespace quoll::api
