// What a container shall be: the body of POST /containers/create, checked and in our own types.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/network/endpoint.hpp"
#include "mgr/network/port_bindings.hpp"

namespace quoll::mgr {

// One mount, whichever of Docker's ways led to it.
struct MountConfig {
  enum class Origin { kBinds, kMounts, kTmpfs, kVolumes, kVolumesFrom };
  enum class Kind { kBind, kTmpfs, kVolume };

  Origin origin = Origin::kBinds;
  Kind kind = Kind::kBind;
  std::string source;  // binds: absolute path on the host; volumes: the name, empty for one without
  std::string target;  // absolute path in the container, without "." and ".."
  bool read_only = false;
  bool recursive = true;                   // binds: mounts below the source come along
  bool read_only_recursive = true;         // binds: where read_only holds, it holds for those mounts too
  bool create_source = false;              // binds: a missing source is made as a directory, as Docker does for Binds
  std::string propagation;                 // binds: empty is rprivate
  std::string mode;                        // Binds: what followed the second colon; Tmpfs: the options; for inspect
  int64_t tmpfs_size = 0;                  // tmpfs of Mounts: bytes; 0 is the kernel's default
  int tmpfs_mode = 0;                      // tmpfs of Mounts: permissions; 0 is the kernel's default
  std::vector<std::string> tmpfs_options;  // tmpfs: further mount options
  std::string volume_path;                 // volumes: where the data is, once the volume is there
  std::string volume_subpath;              // volumes: what of it is mounted, empty is all
  bool volume_no_copy = false;             // volumes: an empty one is not filled with what the image has there
  std::string volume_driver;               // volumes, for the case that they are made: as VolumeRequest
  std::map<std::string, std::string> volume_options, volume_labels;

  bool operator==(const MountConfig&) const = default;
};

struct UlimitConfig {
  std::string name;  // "nofile"
  int64_t soft = 0;  // -1 is unlimited
  int64_t hard = 0;

  bool operator==(const UlimitConfig&) const = default;
};

struct DeviceConfig {
  std::string path_on_host;
  std::string path_in_container;
  std::string cgroup_permissions;  // of "rwm"

  bool operator==(const DeviceConfig&) const = default;
};

// A limit of one block device: bytes or operations a second, or a weight.
struct DeviceLimitConfig {
  std::string path;
  int64_t value = 0;

  bool operator==(const DeviceLimitConfig&) const = default;
};

// How it is found out whether the container does its work. 0 and empty mean "as the image says, else the default".
struct HealthConfig {
  std::vector<std::string> test;  // {"NONE"}, {"CMD", program, argument...} or {"CMD-SHELL", line}
  int64_t interval_ns = 0;
  int64_t timeout_ns = 0;
  int64_t start_period_ns = 0;
  int64_t start_interval_ns = 0;
  int retries = 0;

  // Whether there is a probe to run.
  bool enabled() const { return !test.empty() && test[0] != "NONE"; }
  bool operator==(const HealthConfig&) const = default;
};

struct LogConfig {
  std::string driver = "json-file";  // or "none"
  std::map<std::string, std::string> options;
  int64_t max_size = -1;  // bytes before rotation; -1 is never
  int max_files = 1;

  bool operator==(const LogConfig&) const = default;
};

// When an exited container is started again.
struct RestartPolicy {
  enum class When { kNo, kAlways, kUnlessStopped, kOnFailure };

  When when = When::kNo;
  int maximum_retry_count = 0;  // on-failure: 0 is without end

  bool operator==(const RestartPolicy&) const = default;
};

// "no", "always", "unless-stopped", "on-failure".
std::string_view to_string(RestartPolicy::When when);

inline constexpr int64_t kDefaultShmSize = 64 * 1024 * 1024;

// Docker's HostConfig: how the container meets the host. 0 and empty mean "not asked for" unless said otherwise.
struct HostConfig {
  std::vector<MountConfig> mounts;        // as asked for; what is mounted is ContainerConfig::mounts
  std::vector<std::string> volumes_from;  // "container[:ro|rw]"
  std::string volume_driver;              // of volumes in Binds
  LogConfig log;
  RestartPolicy restart;
  std::string network_mode = "default";  // bridge, none, host, container:ID, or a network's name or id
  std::vector<PortBinding> port_bindings;
  bool publish_all_ports = false;
  std::vector<std::string> links;  // "container:alias"
  bool auto_remove = false;
  std::array<int, 2> console_size{};           // height, width
  std::vector<std::string> cap_add, cap_drop;  // "CAP_..." or "ALL"
  std::string cgroupns_mode;                   // "", private, host
  std::vector<std::string> dns, dns_options, dns_search;
  std::vector<std::string> extra_hosts;  // "name:address"
  std::vector<std::string> group_add;
  std::string ipc_mode;     // "", private, shareable, host, none, container:ID
  std::string pid_mode;     // "", host, container:ID
  std::string uts_mode;     // "", host
  std::string userns_mode;  // "", host: the same thing as long as no ids are mapped
  int oom_score_adj = 0;
  bool privileged = false;
  bool readonly_rootfs = false;
  std::vector<std::string> security_opt;  // as written
  bool no_new_privileges = false;
  std::string apparmor;                // the profile's name; empty: none is applied
  std::optional<std::string> seccomp;  // nothing: the default profile; "unconfined"; else a profile in JSON
  int64_t shm_size = 0;                // 0 is 64 MiB
  std::map<std::string, std::string> sysctls;
  std::string runtime;
  std::optional<bool> init;  // a first process that reaps what the program leaves behind
  std::string cgroup_parent;
  std::map<std::string, std::string> annotations;
  int64_t cpu_shares = 0, nano_cpus = 0, cpu_period = 0, cpu_quota = 0;
  std::string cpuset_cpus, cpuset_mems;
  int64_t memory = 0, memory_reservation = 0;
  int64_t memory_swap = 0;  // memory and swap together; -1 is unlimited
  int64_t pids_limit = 0;   // 0 and -1 are unlimited
  int blkio_weight = 0;
  std::vector<DeviceLimitConfig> blkio_weight_device, blkio_read_bps, blkio_write_bps, blkio_read_iops,
      blkio_write_iops;
  int64_t cpu_realtime_period = 0, cpu_realtime_runtime = 0;
  std::optional<int64_t> memory_swappiness;  // 0 to 100
  bool oom_kill_disable = false;
  std::vector<UlimitConfig> ulimits;
  std::vector<DeviceConfig> devices;
  std::vector<std::string> device_cgroup_rules;                          // "c 42:* rwm"
  std::optional<std::vector<std::string>> masked_paths, readonly_paths;  // nothing: the defaults
  std::string container_id_file;                                         // the client's own business; kept for inspect

  bool operator==(const HostConfig&) const = default;
};

// Docker's Config and HostConfig of one container.
struct ContainerConfig {
  std::string hostname, domainname;
  std::string user;  // "", "name", "uid", each with ":group" or ":gid"
  bool attach_stdin = false, attach_stdout = false, attach_stderr = false;
  std::vector<std::string> exposed_ports;  // "80/tcp"
  bool tty = false, open_stdin = false, stdin_once = false;
  std::vector<std::string> env;
  std::vector<std::string> cmd;
  std::optional<std::vector<std::string>> entrypoint;  // nothing: the image's; empty: none
  std::string image;                                   // the reference as the client wrote it
  std::vector<std::string> volumes;                    // targets that get a volume unless something else is mounted
  std::vector<MountConfig> mounts;                     // what is mounted: resolve_with_image(), resolve_volumes()
  std::string working_dir;
  std::map<std::string, std::string> labels;
  std::string stop_signal;          // "" is SIGTERM
  std::optional<int> stop_timeout;  // seconds; nothing is 10
  std::optional<HealthConfig> healthcheck;
  HostConfig host;
  bool build_step = false;                // of a build: it does not outlive the daemon that made it
  std::vector<EndpointConfig> endpoints;  // what the client asks of networks; not stored, since they can be changed

  bool operator==(const ContainerConfig&) const = default;
};

// Reads the body of POST /containers/create.
//
// Missing fields and nulls are defaults. What is set to anything else and is not in the types above is refused by its
// name, so that nobody believes in a limit or a mount that is not there.
//
// Errors: kInvalidArgument for a wrong type or value and kNotImplemented for what Quoll does not do yet; both name the
//         field ("HostConfig.Memory: expected a number").
ContainerConfig parse_container_config(const nlohmann::json& body);

// `config` with what it leaves open taken from its image: Cmd and Entrypoint (a client's Entrypoint hides the image's
// Cmd), Env by key, WorkingDir, User, Labels by key, StopSignal, ExposedPorts, Volumes.
//
// `image_config` is the image's configuration document; its "config" object is read.
// Errors: kInvalidArgument "no command specified" when neither has a command, and for a malformed image.
ContainerConfig resolve_with_image(ContainerConfig config, const nlohmann::json& image_config);

// The host name that the container shall see: its own, the host's where that namespace is the host's, else the short
// id.
std::string effective_hostname(const ContainerConfig& config, std::string_view id, std::string_view host_hostname);

// The ports that it publishes: those that are named, and with PublishAllPorts all that are exposed. None where it has
// no network of its own.
std::vector<PortBinding> published_ports(const ContainerConfig& config);

// Signal number that stops the container.
int stop_signal_number(const ContainerConfig& config);

// The `Config`, `HostConfig` and `Mounts` of GET /containers/{id}/json.
nlohmann::json config_inspect_json(const ContainerConfig& config);
nlohmann::json host_config_inspect_json(const HostConfig& host);
nlohmann::json mounts_inspect_json(const std::vector<MountConfig>& mounts);

// For the store, both ways: what was resolved comes back equal.
//
// Errors: kInvalidArgument naming the field of a damaged document.
nlohmann::json config_to_json(const ContainerConfig& config);
ContainerConfig config_from_json(const nlohmann::json& stored);

}  // namespace quoll::mgr
