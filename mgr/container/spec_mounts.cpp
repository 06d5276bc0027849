// The `mounts` of the runtime configuration.
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
  // "ro" alone leaves what is mounted below the source writable.
  if (mount.read_only) options.emplace_back(mount.recursive && mount.read_only_recursive ? "rro" : "ro");
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

}  // namespace

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

}  // namespace quoll::mgr
