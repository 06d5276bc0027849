// The `mounts` of the runtime configuration, and the device nodes.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "mgr/container/spec.hpp"
#include "mgr/container/spec_defaults.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

json bind_mount(const std::string& source, const std::string& target, std::vector<std::string> options) {
  return {{"destination", target}, {"type", "bind"}, {"source", source}, {"options", std::move(options)}};
}

std::string opposite_of(const std::string& flag) {
  for (const auto& [a, b] : {std::pair("exec", "noexec"), std::pair("suid", "nosuid"), std::pair("dev", "nodev")}) {
    if (flag == a) return b;
    if (flag == b) return a;
  }
  return {};
}

json tmpfs(const MountConfig& mount) {
  std::vector<std::string> options = {"noexec", "nosuid", "nodev"};
  const auto add = [&](const std::string& option) {
    std::erase(options, opposite_of(option));
    std::erase(options, option);
    options.push_back(option);
  };
  if (mount.tmpfs_size > 0) add("size=" + std::to_string(mount.tmpfs_size));
  if (mount.tmpfs_mode > 0) {
    std::array<char, 16> octal;
    std::snprintf(octal.data(), octal.size(), "mode=%o", static_cast<unsigned>(mount.tmpfs_mode));
    add(octal.data());
  }
  for (const std::string& option : mount.tmpfs_options) add(option);
  if (mount.read_only) add("ro");
  return {{"destination", mount.target}, {"type", "tmpfs"}, {"source", "tmpfs"}, {"options", options}};
}

json user_mount(const MountConfig& mount) {
  if (mount.kind == MountConfig::Kind::kTmpfs) return tmpfs(mount);
  std::vector<std::string> options = {mount.recursive ? "rbind" : "bind",
                                      mount.propagation.empty() ? "rprivate" : mount.propagation};
  // "ro" alone would leave what is mounted below the source writable.
  if (mount.read_only) options.emplace_back(mount.recursive ? "rro" : "ro");
  const bool is_volume = mount.kind == MountConfig::Kind::kVolume;
  return bind_mount(is_volume ? mount.volume_path : mount.source, mount.target, std::move(options));
}

bool is_at_or_below(std::string_view path, std::string_view parent) {
  return path == parent || (path.starts_with(parent) && path[parent.size()] == '/');
}

void apply_ipc_mode(const HostConfig& host, const std::string& shared_shm, json& mounts) {
  if (host.ipc_mode == "none")
    std::erase_if(mounts.get_ref<json::array_t&>(), [](const json& m) { return m["destination"] == "/dev/shm"; });
  const std::string source = host.ipc_mode == "host" ? "/dev/shm" : shared_shm;
  if (source.empty()) return;
  // A new mqueue mount shows the queues of the namespace that makes it, which is the host's; shared memory is one
  // mount.
  for (json& mount : mounts) {
    const std::string target = mount["destination"];
    if (target == "/dev/shm") mount = bind_mount(source, target, {"rbind", "rprivate", "nosuid", "noexec", "nodev"});
  }
}

void make_writable_for_privileged(json& mounts) {
  for (json& mount : mounts) {
    if (!mount["destination"].get_ref<const std::string&>().starts_with("/sys")) continue;
    std::erase(mount["options"].get_ref<json::array_t&>(), json("ro"));
  }
}

json device_node(const std::string& host_path, const std::string& path) {
  struct stat info{};
  if (::stat(host_path.c_str(), &info) != 0 || (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode))) {
    throw Error(ErrorClass::kInvalidArgument, "error gathering device information while adding custom device \"" +
                                                  host_path + "\": not a device node");
  }
  return {{"path", path},
          {"type", S_ISCHR(info.st_mode) ? "c" : "b"},
          {"major", major(info.st_rdev)},
          {"minor", minor(info.st_rdev)},
          {"fileMode", info.st_mode & 07777},
          {"uid", info.st_uid},
          {"gid", info.st_gid}};
}

// All of the host's device nodes, but those that the container has of its own.
json host_devices() {
  json nodes = json::array();
  std::error_code error;
  fs::recursive_directory_iterator walk("/dev", fs::directory_options::skip_permission_denied, error);
  for (const fs::recursive_directory_iterator end; walk != end && !error; walk.increment(error)) {
    const std::string path = walk->path().string();
    constexpr auto kOwn = std::to_array<std::string_view>({"/dev/pts", "/dev/shm", "/dev/fd", "/dev/mqueue"});
    if (std::find(kOwn.begin(), kOwn.end(), path) != kOwn.end()) {
      walk.disable_recursion_pending();
      continue;
    }
    std::error_code gone;
    const fs::file_status status = walk->symlink_status(gone);
    const bool is_node = fs::is_character_file(status) || fs::is_block_file(status);
    if (is_node && path != "/dev/console") nodes.push_back(device_node(path, path));
  }
  return nodes;
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

json spec_mounts(const ContainerConfig& config, const SpecInput& input) {
  const HostConfig& host = config.host;
  const ContainerFilePaths& files = input.files;
  json mounts = default_mounts(host.shm_size > 0 ? host.shm_size : kDefaultShmSize);
  apply_ipc_mode(host, input.shm, mounts);
  if (host.privileged) make_writable_for_privileged(mounts);
  // A mount of the client's replaces ours at the same place, and all of ours below it would be hidden.
  const auto is_replaced = [&](const json& mount) {
    const std::string& target = mount["destination"].get_ref<const std::string&>();
    return std::any_of(config.mounts.begin(), config.mounts.end(),
                       [&](const MountConfig& own) { return is_at_or_below(target, own.target); });
  };
  const auto add_file = [&](const std::string& source, const char* target) {
    std::vector<std::string> options = {"rbind", "rprivate"};
    if (host.readonly_rootfs) options.emplace_back("ro");
    if (!source.empty()) mounts.push_back(bind_mount(source, target, std::move(options)));
  };
  add_file(files.resolv_conf, "/etc/resolv.conf");
  add_file(files.hostname, "/etc/hostname");
  add_file(files.hosts, "/etc/hosts");
  std::erase_if(mounts.get_ref<json::array_t&>(), is_replaced);
  if (runs_init(host)) mounts.push_back(bind_mount(input.init, kInitInContainer, {"bind", "rprivate", "ro"}));
  // Parents first, so that none hides its child.
  std::multimap<ptrdiff_t, const MountConfig*> by_depth;
  for (const MountConfig& mount : config.mounts) {
    by_depth.emplace(std::count(mount.target.begin(), mount.target.end(), '/'), &mount);
  }
  for (const auto& [depth, mount] : by_depth) mounts.push_back(user_mount(*mount));
  return mounts;
}

void add_devices(const HostConfig& host, json& section) {
  json nodes = json::array();
  if (host.privileged) {
    nodes = host_devices();
    section["resources"]["devices"] = json::array({{{"allow", true}, {"access", "rwm"}}});
  }
  for (const DeviceConfig& device : host.devices) {
    json node = device_node(device.path_on_host, device.path_in_container);
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
  for (const std::string& rule : host.device_cgroup_rules) add_device_rule(rule, section["resources"]["devices"]);
  if (!nodes.empty()) section["devices"] = std::move(nodes);
}

}  // namespace quoll::mgr
