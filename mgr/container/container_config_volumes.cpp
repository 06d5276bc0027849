// What is mounted beyond that which the client asked for: volumes, by name or without one, and what other containers
// mount.
#include <algorithm>

#include "mgr/container/container_config_parse.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

json to_json(const MountConfig& mount) {
  return {{"Type", mount.kind == MountConfig::Kind::kVolume ? "volume" : "bind"},
          {"Origin", static_cast<int>(mount.origin)},
          {"Source", mount.source},
          {"Target", mount.target},
          {"ReadOnly", mount.read_only},
          {"Recursive", mount.recursive},
          {"WritableBelow", !mount.read_only_recursive},
          {"CreateSource", mount.create_source},
          {"Propagation", mount.propagation},
          {"Mode", mount.mode},
          {"Path", mount.volume_path},
          {"Subpath", mount.volume_subpath},
          {"NoCopy", mount.volume_no_copy},
          {"Driver", mount.volume_driver},
          {"Options", mount.volume_options},
          {"Labels", mount.volume_labels}};
}

}  // namespace

json volume_mounts_to_json(const std::vector<MountConfig>& mounts) {
  json list = json::array();
  for (const MountConfig& mount : mounts) {
    const bool is_derived =
        mount.kind == MountConfig::Kind::kVolume || mount.origin == MountConfig::Origin::kVolumesFrom;
    if (is_derived) list.push_back(to_json(mount));
  }
  return list;
}

std::vector<MountConfig> parse_volume_mounts(JsonFields& stored) {
  std::vector<MountConfig> mounts;
  for (const json& item : stored.list("VolumeMounts")) {
    JsonFields fields(item, "VolumeMounts.");
    MountConfig mount;
    mount.kind = fields.text("Type") == "volume" ? MountConfig::Kind::kVolume : MountConfig::Kind::kBind;
    mount.origin = static_cast<MountConfig::Origin>(fields.number("Origin"));
    mount.source = fields.text("Source");
    mount.target = fields.text("Target");
    mount.read_only = fields.flag("ReadOnly");
    mount.recursive = fields.flag("Recursive");
    mount.read_only_recursive = !fields.flag("WritableBelow");
    mount.create_source = fields.flag("CreateSource");
    mount.propagation = fields.text("Propagation");
    mount.mode = fields.text("Mode");
    mount.volume_path = fields.text("Path");
    mount.volume_subpath = fields.text("Subpath");
    mount.volume_no_copy = fields.flag("NoCopy");
    mount.volume_driver = fields.text("Driver");
    mount.volume_options = fields.text_map("Options");
    mount.volume_labels = fields.text_map("Labels");
    fields.refuse_the_rest();
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

// A volume for each target of Volumes that nothing else is mounted at.
void add_anonymous_volumes(ContainerConfig& config) {
  for (const std::string& target : config.volumes) {
    if (!target.starts_with('/')) refuse("invalid mount path: '" + target + "' mount path must be absolute");
    MountConfig mount;
    mount.origin = MountConfig::Origin::kVolumes;
    mount.kind = MountConfig::Kind::kVolume;
    mount.target = clean_path(target);
    if (mount.target == "/") refuse("invalid specification: destination can't be '/'");
    const auto is_there = [&](const MountConfig& other) { return other.target == mount.target; };
    if (std::ranges::none_of(config.mounts, is_there)) config.mounts.push_back(std::move(mount));
  }
}

}  // namespace quoll::mgr
