#include <set>

#include "mgr/container/container_config_parse.hpp"
#include "mgr/volume/volume.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::string_view kMountsField = "HostConfig.Mounts";

constexpr auto kPropagations =
    std::to_array<std::string_view>({"private", "rprivate", "shared", "rshared", "slave", "rslave"});

// Relabelling for SELinux and hints for file sharing of virtual machines: they change nothing on a plain host.
constexpr auto kIgnoredModes = std::to_array<std::string_view>({"z", "Z", "consistent", "cached", "delegated"});

constexpr auto kTmpfsFlags = std::to_array<std::string_view>(
    {"ro",       "rw",         "exec",    "noexec",  "suid",     "nosuid",     "dev",         "nodev",
     "sync",     "async",      "atime",   "noatime", "relatime", "norelatime", "strictatime", "nostrictatime",
     "diratime", "nodiratime", "remount", "dirsync", "mand",     "nomand"});
constexpr auto kTmpfsKeys =
    std::to_array<std::string_view>({"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"});

// A volume that is made where it is not there yet: dockerd says so before what it says of the name.
void check_created_volume_name(const std::string& name) {
  try {
    check_volume_name(name);
  } catch (const Error& error) {
    refuse("create " + name + ": " + error.message());
  }
}

template <size_t N>
bool is_one_of(const std::array<std::string_view, N>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// What stands before the problem of a mount, in dockerd's words.
std::string of_type(std::string_view type) { return "invalid mount config for type \"" + std::string(type) + "\": "; }

std::string checked_target(std::string_view target, const std::string& prefix) {
  if (!target.starts_with('/')) {
    refuse(prefix + "invalid mount path: '" + std::string(target) + "' mount path must be absolute");
  }
  std::string clean = clean_path(target);
  if (clean == "/") refuse(prefix + "invalid specification: destination can't be '/'");
  return clean;
}

void apply_bind_mode(MountConfig& mount) {
  bool has_access = false;
  for (const std::string& option : split(mount.mode, ',')) {
    if ((option == "ro" || option == "rw") && !has_access) {
      has_access = true;
      mount.read_only = option == "ro";
    } else if (is_one_of(kPropagations, option) && mount.propagation.empty()) {
      mount.propagation = option;
    } else if (option == "nocopy" && mount.kind == MountConfig::Kind::kVolume) {
      mount.volume_no_copy = true;
    } else if (!is_one_of(kIgnoredModes, option)) {
      refuse("invalid mode: " + mount.mode);
    }
  }
}

MountConfig parse_bind(const std::string& spec) {
  const std::vector<std::string> parts = split(spec, ':');
  if (parts.size() > 3 || std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.empty(); })) {
    refuse("invalid volume specification: '" + spec + "'");
  }
  MountConfig mount;
  const std::string& target = parts[parts.size() == 1 ? 0 : 1];
  const bool is_path = parts.size() > 1 && parts[0][0] == '/';
  mount.target =
      checked_target(target, "invalid volume specification: '" + spec + "': " + of_type(is_path ? "bind" : "volume"));
  if (parts.size() == 1) {
    mount.kind = MountConfig::Kind::kVolume;
  } else if (is_path) {
    mount.source = clean_path(parts[0]);
    mount.create_source = true;
  } else {
    check_created_volume_name(parts[0]);
    mount.kind = MountConfig::Kind::kVolume;
    mount.source = parts[0];
  }
  if (parts.size() == 3) {
    mount.mode = parts[2];
    apply_bind_mode(mount);
  }
  return mount;
}

void check_tmpfs_option(const std::string& option) {
  const size_t equals = option.find('=');
  const std::string_view key = std::string_view(option).substr(0, equals);
  const bool known = equals == std::string::npos ? is_one_of(kTmpfsFlags, key) : is_one_of(kTmpfsKeys, key);
  if (!known || option.find(',') != std::string::npos) refuse("invalid tmpfs option \"" + option + "\"");
}

MountConfig parse_tmpfs(const std::string& target, const std::string& options) {
  MountConfig mount;
  mount.origin = MountConfig::Origin::kTmpfs;
  mount.kind = MountConfig::Kind::kTmpfs;
  mount.target = checked_target(target, "");
  mount.mode = options;
  for (const std::string& option : split(options, ',')) {
    if (option.empty()) continue;
    check_tmpfs_option(option);
    mount.tmpfs_options.push_back(option);
  }
  return mount;
}

void parse_bind_options(const nlohmann::json* json, MountConfig& mount, const std::string& prefix) {
  if (json == nullptr) return;
  JsonFields options(*json, prefix + "BindOptions.");
  mount.propagation = options.text("Propagation");
  if (!mount.propagation.empty() && !is_one_of(kPropagations, mount.propagation)) {
    refuse(of_type("bind") + "invalid propagation mode: " + mount.propagation);
  }
  mount.recursive = !options.flag("NonRecursive");
  mount.create_source = options.flag("CreateMountpoint");
  mount.read_only_recursive = !options.flag("ReadOnlyNonRecursive");
  // It is not done by halves in any case: where the kernel cannot, the runtime fails.
  if (options.flag("ReadOnlyForceRecursive") && !mount.read_only_recursive) {
    refuse(of_type("bind") + "conflicting options: ReadOnlyNonRecursive and ReadOnlyForceRecursive");
  }
  options.refuse_the_rest();
}

void parse_tmpfs_options(const nlohmann::json* json, MountConfig& mount, const std::string& prefix) {
  if (json == nullptr) return;
  JsonFields options(*json, prefix + "TmpfsOptions.");
  mount.tmpfs_size = options.number("SizeBytes");
  if (mount.tmpfs_size < 0) refuse_value(options.full_name("SizeBytes"), "must not be negative");
  const int64_t mode = options.number("Mode");
  if (mode < 0 || mode > 07777) refuse_value(options.full_name("Mode"), "out of range");
  mount.tmpfs_mode = static_cast<int>(mode);
  for (const nlohmann::json& item : options.list("Options")) {
    const std::string field = options.full_name("Options");
    if (!item.is_array() || item.empty() || item.size() > 2)
      refuse_value(field, "expected lists of one or two strings");
    std::string option;
    for (const nlohmann::json& part : item) {
      if (!part.is_string()) refuse_value(field, "expected lists of one or two strings");
      option.append(option.empty() ? "" : "=").append(part.get<std::string>());
    }
    check_tmpfs_option(option);
    mount.tmpfs_options.push_back(option);
  }
  options.refuse_the_rest();
}

void parse_volume_options(const nlohmann::json* json, MountConfig& mount, const std::string& prefix) {
  if (json == nullptr) return;
  JsonFields options(*json, prefix + "VolumeOptions.");
  mount.volume_no_copy = options.flag("NoCopy");
  mount.volume_labels = options.text_map("Labels");
  mount.volume_subpath = options.text("Subpath");
  if (mount.volume_subpath.find('\n') != std::string::npos)
    refuse_value(options.full_name("Subpath"), "has a line break");
  const std::vector<std::string> parts = split(mount.volume_subpath, '/');
  if (mount.volume_subpath.starts_with('/') || std::find(parts.begin(), parts.end(), "..") != parts.end()) {
    refuse(of_type("volume") + "subpath must be a relative path within the volume");
  }
  if (const nlohmann::json* driver = options.value("DriverConfig")) {
    JsonFields fields(*driver, options.full_name("DriverConfig."));
    mount.volume_driver = fields.text("Name");
    mount.volume_options = fields.text_map("Options");
    fields.refuse_the_rest();
  }
  options.refuse_the_rest();
}

MountConfig::Kind kind_of(const std::string& type, const std::string& field) {
  if (type == "image" || type == "cluster" || type == "npipe") refuse_unsupported(field + " \"" + type + "\"");
  if (type == "bind") return MountConfig::Kind::kBind;
  if (type == "tmpfs") return MountConfig::Kind::kTmpfs;
  if (type != "volume") refuse(of_type(type) + "mount type unknown");
  return MountConfig::Kind::kVolume;
}

// The options of one type of mount with another.
void refuse_options_of_others(JsonFields& fields, const std::string& type) {
  for (const auto& [options, owner] :
       {std::pair{"VolumeOptions", "volume"}, {"BindOptions", "bind"}, {"TmpfsOptions", "tmpfs"}}) {
    if (type == owner || fields.value(options) == nullptr) continue;
    refuse(std::string(options) + " must not be specified on mount type \"" + type + "\"");
  }
}

MountConfig parse_mount(const nlohmann::json& json, size_t index) {
  const std::string prefix = std::string(kMountsField) + "[" + std::to_string(index) + "].";
  JsonFields fields(json, prefix);
  MountConfig mount;
  mount.origin = MountConfig::Origin::kMounts;
  const std::string type = fields.text("Type");
  mount.kind = kind_of(type, fields.full_name("Type"));
  refuse_options_of_others(fields, type);
  const std::string target = fields.text("Target");
  if (target.empty()) refuse(of_type(type) + "field Target must not be empty");
  mount.target = checked_target(target, of_type(type));
  mount.read_only = fields.flag("ReadOnly");
  fields.text("Consistency");  // a hint for virtual machines
  const std::string source = fields.text("Source");
  if (mount.kind == MountConfig::Kind::kBind) {
    if (source.empty()) refuse(of_type(type) + "field Source must not be empty");
    if (source[0] != '/') refuse(of_type(type) + "invalid mount path: '" + source + "' mount path must be absolute");
    mount.source = clean_path(source);
    parse_bind_options(fields.value("BindOptions"), mount, prefix);
  } else if (mount.kind == MountConfig::Kind::kVolume) {
    if (!source.empty()) check_created_volume_name(source);
    mount.source = source;
    parse_volume_options(fields.value("VolumeOptions"), mount, prefix);
  } else {
    if (!source.empty()) refuse(of_type(type) + "field Source must not be specified");
    parse_tmpfs_options(fields.value("TmpfsOptions"), mount, prefix);
  }
  fields.refuse_the_rest();
  return mount;
}

}  // namespace

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string clean_path(std::string_view path) {
  std::vector<std::string> kept;
  for (std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      kept.push_back(std::move(part));
    } else if (!kept.empty()) {
      kept.pop_back();
    }
  }
  std::string clean;
  for (const std::string& part : kept) clean.append("/").append(part);
  return clean.empty() ? "/" : clean;
}

void check_anonymous_volumes(const std::vector<MountConfig>& mounts) {
  for (const MountConfig& mount : mounts) {
    if (mount.kind != MountConfig::Kind::kVolume || !mount.source.empty()) continue;
    const std::string when = " when using anonymous volumes";
    if (mount.read_only) refuse(of_type("volume") + "must not set ReadOnly mode" + when);
    if (!mount.volume_subpath.empty()) refuse(of_type("volume") + "must not set Subpath" + when);
  }
}

std::vector<MountConfig> parse_mounts(JsonFields& host) {
  std::vector<MountConfig> mounts;
  for (const std::string& spec : host.texts("Binds")) mounts.push_back(parse_bind(spec));
  size_t index = 0;
  for (const nlohmann::json& json : host.list("Mounts")) mounts.push_back(parse_mount(json, index++));
  for (const auto& [target, options] : host.text_map("Tmpfs")) mounts.push_back(parse_tmpfs(target, options));
  std::set<std::string> targets;
  for (const MountConfig& mount : mounts) {
    if (!targets.insert(mount.target).second) {
      throw Error(ErrorClass::kInvalidArgument, "Duplicate mount point: " + mount.target);
    }
  }
  return mounts;
}

}  // namespace quoll::mgr
