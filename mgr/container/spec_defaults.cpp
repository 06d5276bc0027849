#include "mgr/container/spec_defaults.hpp"

#include <nlohmann/json.hpp>

namespace quoll::mgr {
namespace {

using nlohmann::json;

// By bit, as in linux/capability.h.
constexpr auto kCapabilities = std::to_array<std::string_view>({
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
});

constexpr auto kDefaultCapabilities = std::to_array<std::string_view>({
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
});

json mount(const char* target, const char* type, const char* source, std::initializer_list<std::string> options) {
  return {{"destination", target}, {"type", type}, {"source", source}, {"options", std::vector<std::string>(options)}};
}

json allow_character_device(int major, int minor) {
  return {{"allow", true}, {"type", "c"}, {"major", major}, {"minor", minor}, {"access", "rwm"}};
}

}  // namespace

std::optional<int> capability_bit(std::string_view name) {
  const auto found = std::find(kCapabilities.begin(), kCapabilities.end(), name);
  if (found == kCapabilities.end()) return std::nullopt;
  return static_cast<int>(found - kCapabilities.begin());
}

std::vector<std::string> capability_names(uint64_t bits) {
  std::vector<std::string> names;
  for (size_t bit = 0; bit < kCapabilities.size(); ++bit) {
    if ((bits >> bit & 1) != 0) names.emplace_back(kCapabilities[bit]);
  }
  return names;
}

uint64_t default_capabilities() {
  uint64_t bits = 0;
  for (const std::string_view name : kDefaultCapabilities) bits |= uint64_t{1} << *capability_bit(name);
  return bits;
}

uint64_t all_capabilities() { return (uint64_t{1} << kCapabilities.size()) - 1; }

std::vector<std::string> default_masked_paths() {
  return {"/proc/acpi",        "/proc/asound",        "/proc/interrupts", "/proc/kcore",
          "/proc/keys",        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
          "/proc/sched_debug", "/proc/scsi",          "/sys/firmware",    "/sys/devices/virtual/powercap"};
}

std::vector<std::string> default_readonly_paths() {
  return {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
}

json default_mounts(int64_t shm_size) {
  return {
      mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
      mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      mount("/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
      mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
      mount("/sys/fs/cgroup", "cgroup", "cgroup", {"ro", "nosuid", "noexec", "nodev"}),
      mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
      mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=" + std::to_string(shm_size)}),
  };
}

json default_device_rules() {
  return {
      {{"allow", false}, {"access", "rwm"}},
      // Any node may be made, which alone opens nothing.
      {{"allow", true}, {"type", "c"}, {"access", "m"}},
      {{"allow", true}, {"type", "b"}, {"access", "m"}},
      allow_character_device(1, 3),                                         // null
      allow_character_device(1, 5),                                         // zero
      allow_character_device(1, 7),                                         // full
      allow_character_device(1, 8),                                         // random
      allow_character_device(1, 9),                                         // urandom
      allow_character_device(5, 0),                                         // tty
      allow_character_device(5, 1),                                         // console
      allow_character_device(5, 2),                                         // ptmx
      {{"allow", true}, {"type", "c"}, {"major", 136}, {"access", "rwm"}},  // pseudo terminals
  };
}

}  // namespace quoll::mgr
