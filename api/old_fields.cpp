#include "api/old_fields.hpp"

#include <algorithm>
#include <string>

#include "api/version.hpp"
#include "mgr/short_id.hpp"

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

// "name=seccomp,profile=builtin" as "seccomp".
std::string name_alone(const std::string& option) {
  const std::string name = option.substr(0, option.find(','));
  return name.starts_with("name=") ? name.substr(5) : name;
}

// Of 1.24 alone; its successors leave out what is not set.
json first_config_fields() {
  return {{"ExposedPorts", nullptr}, {"MacAddress", ""}, {"NetworkDisabled", false}, {"PublishService", ""}};
}

// Beside what the client asked for; since then DNSNames has it.
void add_id_aliases(json& inspected) {
  const std::string id = mgr::short_id(inspected["Id"].get<std::string>());
  for (const auto& [name, endpoint] : inspected["NetworkSettings"]["Networks"].items()) {
    if (name == "bridge" || name == "host" || name == "none") continue;
    json& aliases = endpoint["Aliases"];
    if (!aliases.is_array()) aliases = json::array();
    if (std::find(aliases.begin(), aliases.end(), id) == aliases.end()) aliases.push_back(id);
  }
}

}  // namespace

void add_old_container_fields(const http::Request& request, json& inspected) {
  if (is_before(request, 45)) add_id_aliases(inspected);
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

void add_old_df_fields(const http::Request& request, json& df) {
  if (is_before(request, 42)) add_absent(df, {{"BuilderSize", 0}});
  if (!df.contains("Images")) return;
  for (json& image : df["Images"]) add_virtual_size(request, image);
}

void add_old_info_fields(const http::Request& request, json& info) {
  if (is_before(request, 50)) add_absent(info, {{"BridgeNfIptables", false}, {"BridgeNfIp6tables", false}});
  if (is_before(request, 49)) {
    add_absent(info["RegistryConfig"], {{"AllowNondistributableArtifactsCIDRs", nullptr},
                                        {"AllowNondistributableArtifactsHostnames", nullptr}});
    for (const char* program : {"ContainerdCommit", "RuncCommit", "InitCommit"}) {
      add_absent(info[program], {{"Expected", info[program]["ID"]}});
    }
  }
  if (is_before(request, 25)) {
    for (json& option : info["SecurityOptions"]) option = name_alone(option.get<std::string>());
  }
  if (is_before(request, 42)) add_absent(info, {{"KernelMemory", false}});
  if (is_before(request, 25)) add_absent(info, {{"InitPath", ""}, {"InitSha1", ""}, {"ClusterStore", ""}});
}

}  // namespace quoll::api
