#include "api/old_requests.hpp"

#include <string>

#include "api/version.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

// The object at `name`, or null where there is none.
json* object_at(json& parent, const char* name) {
  const auto found = parent.is_object() ? parent.find(name) : parent.end();
  return parent.is_object() && found != parent.end() && found->is_object() ? &*found : nullptr;
}

bool is_missing(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() || *found == "";
}

bool is_set(json* object, const char* name) { return object != nullptr && !is_missing(*object, name); }

void forget(json* object, const char* name) {
  if (object != nullptr) object->erase(name);
}

[[noreturn]] void refuse(const std::string& words) { throw Error(ErrorClass::kInvalidArgument, words); }

void read_as_old_mount(const http::Request& request, json& mount) {
  json* const bind = object_at(mount, "BindOptions");
  if (is_before(request, 40)) forget(bind, "NonRecursive");
  if (is_before(request, 42)) {
    forget(bind, "CreateMountpoint");
    if (mount.value("Type", json()) != "volume") mount.erase("VolumeOptions");
    if (mount.value("Type", json()) != "tmpfs") mount.erase("TmpfsOptions");
  }
  if (is_before(request, 44) && mount.value("Type", json()) == "bind") {
    if (is_set(bind, "ReadOnlyForceRecursive") && (*bind)["ReadOnlyForceRecursive"] == true) {
      refuse("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer");
    }
    if (mount.value("ReadOnly", json()) == true) mount["BindOptions"]["ReadOnlyNonRecursive"] = true;
  }
  if (is_before(request, 45) && is_set(object_at(mount, "VolumeOptions"), "Subpath")) {
    refuse("VolumeOptions.Subpath needs API v1.45 or newer");
  }
}

void read_as_old_host_config(const http::Request& request, json& host) {
  if (is_before(request, 25)) host.erase("AutoRemove");  // the client removed it
  if (is_before(request, 40) && is_missing(host, "IpcMode")) host["IpcMode"] = "shareable";
  if (is_before(request, 42)) host.erase("ConsoleSize");
  if (is_before(request, 43)) host.erase("Annotations");
  const auto mounts = host.find("Mounts");
  if (mounts == host.end() || !mounts->is_array()) return;
  for (json& mount : *mounts) {
    if (mount.is_object()) read_as_old_mount(request, mount);
  }
}

void read_as_old_networking(json& body) {
  json* const networking = object_at(body, "NetworkingConfig");
  json* const endpoints = networking == nullptr ? nullptr : object_at(*networking, "EndpointsConfig");
  if (endpoints == nullptr) return;
  if (endpoints->size() > 1) {
    std::string names;
    for (const auto& [name, endpoint] : endpoints->items()) names += (names.empty() ? "" : ", ") + name;
    refuse("Container cannot be created with multiple network endpoints: " + names);
  }
  for (json& endpoint : *endpoints) {
    if (endpoint.is_object()) endpoint.erase("MacAddress");
  }
}

}  // namespace

void read_as_old_create(const http::Request& request, json& body) {
  if (!body.is_object()) return;
  if (is_before(request, 40) && is_missing(body, "HostConfig")) body["HostConfig"] = json::object();
  if (json* const host = object_at(body, "HostConfig")) read_as_old_host_config(request, *host);
  if (!is_before(request, 44)) return;
  forget(object_at(body, "Healthcheck"), "StartInterval");
  read_as_old_networking(body);
}

void read_as_old_update(const http::Request& request, json& body) {
  if (is_before(request, 40) && body.is_object()) body.erase("PidsLimit");
}

void read_as_old_exec(const http::Request& request, json& body) {
  if (!body.is_object()) return;
  if (is_before(request, 25)) body.erase("Env");
  if (is_before(request, 35)) body.erase("WorkingDir");
  if (is_before(request, 42)) body.erase("ConsoleSize");
}

}  // namespace quoll::api
