// The devices of a container's spec.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "mgr/container/spec.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

bool is_node(const fs::file_status& status) { return fs::is_character_file(status) || fs::is_block_file(status); }

// REQUIRES: there was a device node at `host_path` a moment ago.
json device_node(const std::string& host_path, const std::string& path) {
  struct stat info{};
  if (::stat(host_path.c_str(), &info) != 0) throw system_error(errno, "device " + host_path);
  return {{"path", path},
          {"type", S_ISCHR(info.st_mode) ? "c" : "b"},
          {"major", major(info.st_rdev)},
          {"minor", minor(info.st_rdev)},
          {"fileMode", info.st_mode & 07777},
          {"uid", info.st_uid},
          {"gid", info.st_gid}};
}

// All device nodes below a directory of the host, but those that a container has of its own, below `target`.
json nodes_below(const std::string& directory, const std::string& target) {
  json nodes = json::array();
  std::error_code error;
  fs::recursive_directory_iterator walk(directory, fs::directory_options::skip_permission_denied, error);
  for (const fs::recursive_directory_iterator end; walk != end && !error; walk.increment(error)) {
    const std::string path = walk->path().string();
    constexpr auto kOwn = std::to_array<std::string_view>({"/dev/pts", "/dev/shm", "/dev/fd", "/dev/mqueue"});
    if (std::find(kOwn.begin(), kOwn.end(), path) != kOwn.end()) {
      walk.disable_recursion_pending();
      continue;
    }
    std::error_code gone;
    if (!is_node(walk->symlink_status(gone)) || path == "/dev/console") continue;
    nodes.push_back(device_node(path, target + path.substr(directory.size())));
  }
  return nodes;
}

// The node that is asked for, or all those in the directory.
json asked_nodes(const DeviceConfig& device) {
  std::error_code error;
  const fs::path place = fs::canonical(device.path_on_host, error);
  const fs::file_status status = error ? fs::file_status() : fs::status(place, error);
  if (!error && is_node(status)) return json::array({device_node(place, device.path_in_container)});
  if (!error && fs::is_directory(status)) {
    if (json nodes = nodes_below(place, device.path_in_container); !nodes.empty()) return nodes;
  }
  const std::string problem = error == std::errc::no_such_file_or_directory ? "no such file or directory"
                              : error                                       ? error.message()
                                                                            : "not a device node";
  throw Error(ErrorClass::kInvalidArgument, "error gathering device information while adding custom device \"" +
                                                device.path_on_host + "\": " + problem);
}

// "c 42:* rwm", as the parser has checked it.
void add_device_rule(const std::string& rule, json& into) {
  const std::size_t colon = rule.find(':');
  const std::size_t space = rule.find(' ', colon);
  json allowed{{"allow", true}, {"type", rule.substr(0, 1)}, {"access", rule.substr(space + 1)}};
  const std::string major = rule.substr(2, colon - 2);
  const std::string minor = rule.substr(colon + 1, space - colon - 1);
  // What is left out is any.
  if (major != "*") allowed["major"] = std::atoll(major.c_str());
  if (minor != "*") allowed["minor"] = std::atoll(minor.c_str());
  into.push_back(std::move(allowed));
}

}  // namespace

std::pair<unsigned, unsigned> device_number(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0 || (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode))) {
    throw Error(ErrorClass::kInvalidArgument, "no such device: \"" + path + "\"");
  }
  return {major(info.st_rdev), minor(info.st_rdev)};
}

void add_devices(const HostConfig& host, json& section) {
  json nodes = json::array();
  if (host.privileged) {
    nodes = nodes_below("/dev", "/dev");
    section["resources"]["devices"] = json::array({{{"allow", true}, {"access", "rwm"}}});
  }
  for (const DeviceConfig& device : host.devices) {
    for (json& node : asked_nodes(device)) {
      std::erase_if(nodes.get_ref<json::array_t&>(), [&](const json& other) { return other["path"] == node["path"]; });
      if (!host.privileged) {
        section["resources"]["devices"].push_back({{"allow", true},
                                                   {"type", node["type"]},
                                                   {"major", node["major"]},
                                                   {"minor", node["minor"]},
                                                   {"access", device.cgroup_permissions}});
      }
      nodes.push_back(std::move(node));
    }
  }
  for (const std::string& rule : host.device_cgroup_rules) add_device_rule(rule, section["resources"]["devices"]);
  if (!nodes.empty()) section["devices"] = std::move(nodes);
}

}  // namespace quoll::mgr
