#include "api/build_request.hpp"

#include <nlohmann/json.hpp>

#include "api/numbers.hpp"
#include "mgr/image/image.hpp"
#include "mgr/registry/registry_auth.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using http::Request;
using nlohmann::json;

[[noreturn]] void refuse(ErrorClass error_class, std::string message) { throw Error(error_class, std::move(message)); }

std::string text_of(const Request& request, std::string_view name) { return request.query(name).value_or(""); }

// Null where it is not given.
json json_of(const Request& request, std::string_view name) {
  const std::string text = text_of(request, name);
  return text.empty() ? json() : mgr::parse_untrusted_json(text, name);
}

void refuse_unsupported(const Request& request) {
  const std::string version = text_of(request, "version");
  if (version == "2") {
    refuse(ErrorClass::kNotImplemented,
           "BuildKit is not supported: build with the classic builder (DOCKER_BUILDKIT=0 docker build)");
  }
  if (!version.empty() && version != "1") refuse(ErrorClass::kInvalidArgument, "invalid version " + version);
  if (request.query_flag("squash")) refuse(ErrorClass::kNotImplemented, "squash is not supported");
  const std::string outputs = text_of(request, "outputs");
  if (!outputs.empty() && outputs != "[]" && outputs != "null") {
    refuse(ErrorClass::kNotImplemented, "outputs are not supported: they require BuildKit");
  }
  if (!text_of(request, "securityopt").empty()) {
    refuse(ErrorClass::kInvalidArgument,
           "The daemon on this platform does not support setting security options on build");
  }
  const std::string isolation = text_of(request, "isolation");
  if (!isolation.empty() && isolation != "default") {
    refuse(ErrorClass::kInvalidArgument, "invalid isolation: " + isolation);
  }
  const std::string remote = text_of(request, "remote");
  const bool is_url = remote.starts_with("http://") || remote.starts_with("https://");
  const std::string bare = remote.substr(0, remote.find('#'));
  if (!remote.empty() && (!is_url || bare.ends_with(".git"))) {
    refuse(ErrorClass::kNotImplemented, "a repository as build context is not supported: " + remote);
  }
}

// How its containers meet the host: as of a container that is created, so that it is checked in the same way.
mgr::HostConfig host_of(const Request& request) {
  json host = json::object();
  const std::pair<const char*, const char*> kNumbers[] = {{"memory", "Memory"},       {"memswap", "MemorySwap"},
                                                          {"cpushares", "CpuShares"}, {"cpuperiod", "CpuPeriod"},
                                                          {"cpuquota", "CpuQuota"},   {"shmsize", "ShmSize"}};
  for (const auto& [parameter, field] : kNumbers) {
    host[field] = query_number<std::int64_t>(request, parameter).value_or(0);
  }
  const std::pair<const char*, const char*> kTexts[] = {{"cpusetcpus", "CpusetCpus"},
                                                        {"cpusetmems", "CpusetMems"},
                                                        {"cgroupparent", "CgroupParent"},
                                                        {"networkmode", "NetworkMode"}};
  for (const auto& [parameter, field] : kTexts) host[field] = text_of(request, parameter);
  host["Ulimits"] = json_of(request, "ulimits");
  host["ExtraHosts"] = json::array();
  for (const std::string& text : request.query_values("extrahosts")) {
    if (!text.empty()) host["ExtraHosts"].push_back(text);
  }
  return mgr::parse_container_config({{"HostConfig", std::move(host)}}).host;
}

mgr::ArgumentMap arguments_of(const Request& request) {
  mgr::ArgumentMap arguments;
  const json given = json_of(request, "buildargs");
  if (given.is_null()) return arguments;
  if (!given.is_object()) refuse(ErrorClass::kInvalidArgument, "buildargs: expected an object");
  for (const auto& [name, value] : given.items()) {
    if (!value.is_string() && !value.is_null()) {
      refuse(ErrorClass::kInvalidArgument, "buildargs: " + name + ": expected a text");
    }
    arguments[name] = value.is_null() ? std::nullopt : std::optional(value.get<std::string>());
  }
  return arguments;
}

std::map<std::string, std::string> labels_of(const Request& request) {
  std::map<std::string, std::string> labels;
  const json given = json_of(request, "labels");
  if (given.is_null()) return labels;
  if (!given.is_object()) refuse(ErrorClass::kInvalidArgument, "labels: expected an object");
  for (const auto& [name, value] : given.items()) {
    if (!value.is_string()) refuse(ErrorClass::kInvalidArgument, "labels: " + name + ": expected a text");
    labels[name] = value.get<std::string>();
  }
  return labels;
}

std::vector<mgr::Reference> tags_of(const Request& request) {
  std::vector<mgr::Reference> tags;
  for (const std::string& text : request.query_values("t")) {
    if (text.empty()) continue;
    mgr::Reference tag = mgr::parse_reference(text);
    if (!tag.digest.empty()) {
      refuse(ErrorClass::kInvalidArgument, "build tag cannot contain a digest");
    }
    if (std::ranges::find(tags, tag) == tags.end()) tags.push_back(std::move(tag));
  }
  return tags;
}

}  // namespace

mgr::BuildRequest build_request_of(const Request& request) {
  refuse_unsupported(request);
  mgr::BuildRequest build;
  if (const std::string name = text_of(request, "dockerfile"); !name.empty()) build.dockerfile = name;
  build.target = text_of(request, "target");
  build.tags = tags_of(request);
  build.arguments = arguments_of(request);
  build.labels = labels_of(request);
  if (const std::string text = text_of(request, "platform"); !text.empty()) build.platform = mgr::parse_platform(text);
  build.no_cache = request.query_flag("nocache");
  const json cache_from = json_of(request, "cachefrom");
  if (!cache_from.is_null() && !cache_from.is_array()) {
    refuse(ErrorClass::kInvalidArgument, "cachefrom: expected a list");
  }
  for (const json& name : cache_from) {
    if (!name.is_string()) refuse(ErrorClass::kInvalidArgument, "cachefrom: expected a list of names");
    build.cache_from.push_back(name.get<std::string>());
  }
  build.pull = request.query_flag("pull");
  build.keep_containers = !request.query_flag_or("rm", true);
  build.remove_failed = request.query_flag("forcerm");
  build.host = host_of(request);
  build.credentials = mgr::parse_auth_config(request.header("X-Registry-Config"));
  return build;
}

}  // namespace quoll::api
