#include "mgr/registry/registry_hosts.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "http/tls.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::string_view kHubDomain = "docker.io";
constexpr std::size_t kContextsMax = 32;
constexpr std::string_view kHubHost = "registry-1.docker.io";

RegistryEndpoint endpoint_of(const std::string& text, std::string name, bool insecure, bool mirror) {
  auto url = RegistryUrl::parse(text);
  if (!url) throw Error(ErrorClass::kInvalidArgument, "invalid registry address \"" + text + "\"");
  if (!url->target.ends_with('/')) url->target += '/';
  return {std::move(*url), std::move(name), insecure, mirror};
}

// Names, sizes and times of the files: what changes when an operator replaces a certificate.
std::string fingerprint_of(const std::filesystem::path& directory, http::TlsOptions& options) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator each(directory, error), end; !error && each != end; each.increment(error)) {
    files.push_back(each->path());
  }
  std::ranges::sort(files);
  std::string text;
  for (const auto& path : files) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) continue;
    text += path.string() + " " + std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
            std::to_string(status.st_mtim.tv_nsec) + "\n";
    if (path.extension() == ".crt") options.ca_files.push_back(path);
    if (path.extension() == ".cert") {
      auto key = path;
      options.client_certificate = path;
      options.client_key = key.replace_extension(".key");
    }
  }
  return text;
}

}  // namespace

RegistryHosts::RegistryHosts(RegistryOptions options) : options_(std::move(options)) {
  for (const char* loopback : {"127.0.0.0/8", "::1/128"}) insecure_networks_.push_back(*IpNetwork::parse(loopback));
  for (const std::string& text : options_.insecure_registries) {
    if (text.find("://") != text.npos) {
      throw Error(ErrorClass::kInvalidArgument, "insecure registry " + text + " should not contain '://'");
    }
    if (text.find('/') == text.npos) continue;
    auto network = IpNetwork::parse(text);
    if (!network) throw Error(ErrorClass::kInvalidArgument, "insecure registry " + text + " is not a valid network");
    insecure_networks_.push_back(std::move(*network));
  }
  for (const std::string& mirror : options_.mirrors) endpoint_of(mirror, mirror, false, true);
}

bool RegistryHosts::in_insecure_network(const std::string& host) const {
  return std::ranges::any_of(insecure_networks_, [&](const IpNetwork& network) { return network.contains(host); });
}

bool RegistryHosts::is_insecure(std::string_view registry) const {
  if (std::ranges::find(options_.insecure_registries, registry) != options_.insecure_registries.end()) return true;
  const auto url = RegistryUrl::parse("https://" + std::string(registry));
  if (!url) return false;
  return url->host == "localhost" || in_insecure_network(url->host);
}

std::vector<RegistryEndpoint> RegistryHosts::endpoints(std::string_view domain, bool with_mirrors) const {
  std::vector<RegistryEndpoint> found;
  if (domain == kHubDomain) {
    for (const std::string& mirror : options_.mirrors) {
      if (!with_mirrors) break;
      RegistryEndpoint endpoint = endpoint_of(mirror, "", false, true);
      endpoint.name = endpoint.base.authority();
      endpoint.insecure = is_insecure(endpoint.name);
      found.push_back(std::move(endpoint));
    }
    found.push_back(endpoint_of("https://" + std::string(kHubHost), std::string(kHubHost), false, false));
    return found;
  }
  const std::string name(domain);
  const bool insecure = is_insecure(name);
  found.push_back(endpoint_of("https://" + name, name, insecure, false));
  if (insecure) found.push_back(endpoint_of("http://" + name, name, true, false));
  return found;
}

std::shared_ptr<const http::TlsContext> RegistryHosts::tls_context(const std::string& host_and_port, bool insecure) {
  http::TlsOptions tls;
  tls.verify = !insecure;
  std::string fingerprint = insecure ? "insecure\n" : "";
  // The name came from a reference or a redirect: one component, and neither of the two that lead elsewhere.
  if (host_and_port.find('/') == host_and_port.npos && !host_and_port.starts_with('.')) {
    fingerprint += fingerprint_of(std::filesystem::path(options_.certs_dir) / host_and_port, tls);
  }
  const std::lock_guard lock(mutex_);
  // Redirects may lead to any number of hosts.
  if (contexts_.size() >= kContextsMax) contexts_.clear();
  Entry& entry = contexts_[insecure ? host_and_port + " insecure" : host_and_port];
  if (!entry.context || entry.fingerprint != fingerprint) {
    entry.context = std::make_shared<const http::TlsContext>(tls);
    entry.fingerprint = std::move(fingerprint);
  }
  return entry.context;
}

}  // namespace quoll::mgr
