// The tables behind a container's runtime configuration: what Docker gives a container that asks for nothing.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::mgr {

// PATH of a process whose image and client set none.
inline constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// The bit of "CAP_CHOWN" and the like; nothing for a name the kernel does not have.
std::optional<int> capability_bit(std::string_view name);

// The names of the bits that are set, in order of bit. Bits without a name are left out.
std::vector<std::string> capability_names(uint64_t bits);

// The bits of Docker's default set.
uint64_t default_capabilities();

// Every bit that has a name.
uint64_t all_capabilities();

// Paths of the kernel's file systems that are hidden or made read-only.
std::vector<std::string> default_masked_paths();
std::vector<std::string> default_readonly_paths();

// The mounts of every container, in the order in which they are made: /proc, /dev and what is in it, /sys, the cgroups.
nlohmann::json default_mounts(int64_t shm_size);

// The device cgroup's rules: nothing but the harmless character devices.
nlohmann::json default_device_rules();

}  // namespace quoll::mgr
