#include "mgr/volume/volume.hpp"

#include <algorithm>
#include <cctype>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorClass::kInvalidArgument, message); }

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
}

// "bind,ro" and the like. True where it asks for a bind.
bool apply_mount_options(const std::string& text, Volume& volume) {
  bool is_bind = false;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view option = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(option.size() + 1, rest.size()));
    if (option == "bind" || option == "rbind") {
      is_bind = true;
    } else if (option == "ro") {
      volume.read_only = true;
    } else if (option != "rw") {
      throw Error(ErrorClass::kNotImplemented, "volume option \"o=" + std::string(option) + "\" is not supported");
    }
  }
  return is_bind;
}

}  // namespace

void check_volume_name(std::string_view name) {
  if (name.size() < 2) refuse("volume name is too short, names should be at least two alphanumeric characters");
  if (std::isalnum(static_cast<unsigned char>(name[0])) != 0 && std::ranges::all_of(name, is_name_character)) return;
  refuse("\"" + std::string(name) + "\" includes invalid characters for a local volume name, only " +
         "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path");
}

void apply_volume_options(const VolumeRequest& request, Volume& volume) {
  if (!request.driver.empty() && request.driver != "local") {
    throw Error(ErrorClass::kNotFound,
                "error looking up volume plugin " + request.driver + ": plugin \"" + request.driver + "\" not found");
  }
  std::string type;
  std::string mount_options;
  std::string device;
  for (const auto& [name, value] : request.options) {
    if (name == "type") {
      type = value;
    } else if (name == "o") {
      mount_options = value;
    } else if (name == "device") {
      device = value;
    } else if (name == "size") {
      throw Error(ErrorClass::kNotImplemented, "volume option \"size\" is not supported");
    } else {
      refuse("invalid option: \"" + name + "\"");
    }
  }
  volume.options = request.options;
  if (request.options.empty()) return;
  if (!type.empty() && type != "none" && type != "bind") {
    throw Error(ErrorClass::kNotImplemented, "volume option \"type=" + type + "\" is not supported");
  }
  if (device.empty()) refuse("missing device in volume options");
  if (!apply_mount_options(mount_options, volume)) {
    throw Error(ErrorClass::kNotImplemented, "volume options without \"o=bind\" are not supported");
  }
  if (device[0] != '/') refuse("volume option \"device\" must be an absolute path: " + device);
  volume.device = device;
}

}  // namespace quoll::mgr
