// A volume of the local driver: a directory that outlives the containers which mount it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace quoll::mgr {

// Marks a volume that was made for one container without a name of its own, as Docker does.
inline constexpr std::string_view kAnonymousVolumeLabel = "com.docker.volume.anonymous";

// What a client may say of a new volume. All but the name are optional.
struct VolumeRequest {
  std::string name;  // empty: a new random one
  std::string driver;
  std::map<std::string, std::string> options;
  std::map<std::string, std::string> labels;
};

// Fixed once it is created.
struct Volume {
  std::string name;
  std::int64_t created_ns = 0;
  std::map<std::string, std::string> options;
  std::map<std::string, std::string> labels;
  std::string mountpoint;  // ROOT/volumes/NAME/_data
  std::string device;      // with the options of a bind: the directory that is used instead
  bool read_only = false;  // by its options

  const std::string& data() const { return device.empty() ? mountpoint : device; }
  bool is_anonymous() const { return labels.contains(std::string(kAnonymousVolumeLabel)); }
};

// Reads the driver's options into `volume`: nothing, or those of a bind mount (type=none, o=bind[,ro], device=/path).
//
// Errors: kInvalidArgument for a driver or an option that is none; kNotImplemented, by name, for what the local driver
//         of Docker would mount on the host (tmpfs, nfs, block devices).
void apply_volume_options(const VolumeRequest& request, Volume& volume);

// Errors: kInvalidArgument in Docker's words.
void check_volume_name(std::string_view name);

}  // namespace quoll::mgr
