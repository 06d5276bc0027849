#include "api/old_fields.hpp"

#include "api/version.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

void add_absent(json& into, const json& fields) {
  for (const auto& [name, value] : fields.items()) {
    if (!into.contains(name)) into[name] = value;
  }
}

// A container's configuration of which nothing is set: images had one too, of the container that they were made of.
json empty_config() {
  return {{"Hostname", ""},       {"Domainname", ""},      {"User", ""},
          {"AttachStdin", false}, {"AttachStdout", false}, {"AttachStderr", false},
          {"Tty", false},         {"OpenStdin", false},    {"StdinOnce", false},
          {"Env", nullptr},       {"Cmd", nullptr},        {"Image", ""},
          {"Volumes", nullptr},   {"WorkingDir", ""},      {"Entrypoint", nullptr},
          {"OnBuild", nullptr},   {"Labels", nullptr}};
}

// Of 1.24 alone; its successors leave out what is not set.
json first_config_fields() {
  return {{"ExposedPorts", nullptr}, {"MacAddress", ""}, {"NetworkDisabled", false}, {"PublishService", ""}};
}

}  // namespace

void add_old_container_fields(const http::Request& request, json& inspected) {
  if (is_before(request, 42)) add_absent(inspected["HostConfig"], {{"KernelMemory", 0}});
  if (!is_before(request, 25)) return;
  add_absent(inspected["Config"], first_config_fields());
  add_absent(inspected["Config"], {{"StopSignal", "SIGTERM"}});
  add_absent(inspected["HostConfig"], {{"StorageOpt", nullptr}, {"Sysctls", json::object()}});
}

void add_virtual_size(const http::Request& request, json& image) {
  if (is_before(request, 44)) add_absent(image, {{"VirtualSize", image["Size"]}});
}

void name_nameless_image(const http::Request& request, json& listed) {
  if (!is_before(request, 43) || !listed["RepoTags"].empty() || !listed["RepoDigests"].empty()) return;
  listed["RepoTags"] = {"<none>:<none>"};
  listed["RepoDigests"] = {"<none>@<none>"};
}

void add_old_image_fields(const http::Request& request, json& inspected) {
  add_virtual_size(request, inspected);
  if (inspected["Created"] == "") inspected.erase("Created");
  if (is_before(request, 44)) add_absent(inspected, {{"Created", "0001-01-01T00:00:00Z"}});
  if (is_before(request, 45)) add_absent(inspected, {{"Container", ""}, {"ContainerConfig", empty_config()}});
  if (is_before(request, 50)) add_absent(inspected["Config"], empty_config());
  if (!is_before(request, 25)) return;
  add_absent(inspected["Config"], first_config_fields());
  add_absent(inspected["ContainerConfig"], first_config_fields());
}

void add_old_exec_fields(const http::Request& request, json& created) {
  if (is_before(request, 25)) add_absent(created, {{"Warnings", json::array()}});
}

void add_old_info_fields(const http::Request& request, json& info) {
  if (is_before(request, 42)) add_absent(info, {{"KernelMemory", false}});
  if (is_before(request, 25)) add_absent(info, {{"InitPath", ""}, {"InitSha1", ""}, {"ClusterStore", ""}});
}

}  // namespace quoll::api
