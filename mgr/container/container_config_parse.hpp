// The parts of parse_container_config(), one function a file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mgr/container/container_config.hpp"
#include "mgr/container/container_config_fields.hpp"

namespace quoll::mgr {

// HostConfig.Binds, .Mounts and .Tmpfs in one list, in that order. Two of one target are refused.
std::vector<MountConfig> parse_mounts(JsonFields& host);
// What a client may not ask of a volume without a name. An older daemon has let it, and its records are read as they
// are.
void check_anonymous_volumes(const std::vector<MountConfig>& mounts);

// Of what is mounted, that which was not asked for in so many words, for the store; both ways.
nlohmann::json volume_mounts_to_json(const std::vector<MountConfig>& mounts);
std::vector<MountConfig> parse_volume_mounts(JsonFields& stored);

// A volume for each target of `config.volumes` that nothing else is mounted at.
void add_anonymous_volumes(ContainerConfig& config);

// HostConfig.LogConfig.
LogConfig parse_log_config(JsonFields& host);

// HostConfig.RestartPolicy, and that of an update's body.
RestartPolicy parse_restart_policy(JsonFields& host);

// Healthcheck, of a container's body or of an image's configuration.
std::optional<HealthConfig> parse_healthcheck(JsonFields& fields);

// Devices, DeviceCgroupRules, and the block I/O limits of single devices, into `into`.
void parse_devices(JsonFields& host, HostConfig& into);

// HostConfig whole.
HostConfig parse_host_config(const nlohmann::json& json);

// What HostConfig says of capabilities, seccomp, system paths and sysctls, into `into`.
void parse_security(JsonFields& host, HostConfig& into);

// What HostConfig says of memory, CPU, processes and devices, into `into`.
void parse_resources(JsonFields& host, HostConfig& into);

// `path` without ".", ".." and doubled slashes; ".." above the root stays at the root.
//
// REQUIRES: path starts with '/'.
std::string clean_path(std::string_view path);

std::vector<std::string> split(std::string_view text, char separator);

}  // namespace quoll::mgr
