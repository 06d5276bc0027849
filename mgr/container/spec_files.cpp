#include "mgr/container/spec_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "task/error.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {
namespace {

constexpr std::string_view kLocalHosts =
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::\tip6-localnet\n"
    "ff00::\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n";

std::string read_or_empty(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The lines that networks put into hosts.
std::vector<std::string> network_lines(const ContainerConfig& config, std::string_view hostname,
                                       const NetworkFileFacts& network) {
  std::vector<std::string> lines;
  for (const auto& [address, names] : network.links) lines.push_back(address + "\t" + names);
  for (const std::string& address : network.addresses) {
    std::string line = address + "\t";
    if (!config.domainname.empty()) line.append(hostname).append(".").append(config.domainname).append(" ");
    lines.push_back(line.append(hostname));
  }
  return lines;
}

std::string hosts_text(const ContainerConfig& config, std::string_view hostname, const NetworkFileFacts& network,
                       const HostFiles& host) {
  std::string text(kLocalHosts);
  if (config.host.network_mode == "host" && !host.hosts.empty()) {
    text = host.hosts;
    if (!text.ends_with('\n')) text.push_back('\n');
  }
  for (const std::string& extra : config.host.extra_hosts) {
    const size_t colon = extra.find(':');
    if (extra.ends_with(":host-gateway")) continue;  // a link to the host, whose address the networks know
    text.append(extra, colon + 1).append("\t").append(extra, 0, colon).append("\n");
  }
  for (const std::string& line : network_lines(config, hostname, network)) text.append(line).append("\n");
  return text;
}

// A resolver on the host's loopback cannot be reached from another network namespace.
bool is_loopback(std::string_view address) { return address.starts_with("127.") || address == "::1"; }

std::string resolv_conf_text(const HostConfig& host, const std::vector<std::string>& name_servers,
                             const std::string& of_host) {
  std::string kept, search, options;
  std::istringstream lines(of_host);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string keyword, first;
    words >> keyword >> first;
    const bool is_unreachable = host.network_mode != "host" && is_loopback(first);
    if (keyword == "nameserver" && host.dns.empty() && name_servers.empty() && !is_unreachable)
      kept.append(line).append("\n");
    if ((keyword == "search" || keyword == "domain") && host.dns_search.empty()) search = line + "\n";
    if (keyword == "options" && host.dns_options.empty()) options.append(line).append("\n");
  }
  // A network's own name server asks those that the client has named.
  for (const std::string& server : name_servers.empty() ? host.dns : name_servers)
    kept.append("nameserver ").append(server).append("\n");
  // A single dot is how clients ask for no search list at all.
  if (!host.dns_search.empty() && host.dns_search != std::vector<std::string>{"."}) {
    search = "search";
    for (const std::string& domain : host.dns_search) search.append(" ").append(domain);
    search.append("\n");
  }
  if (!host.dns_options.empty()) {
    options = "options";
    for (const std::string& option : host.dns_options) options.append(" ").append(option);
    options.append("\n");
  } else if (!name_servers.empty()) {
    options.append("options ndots:0\n");
  }
  return kept + search + options;
}

std::string write_file(const std::string& path, std::string_view text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) throw system_error(errno, "create " + path);
  // Whatever the umask: the container's users must be able to read it.
  if (::fchmod(fd.get(), 0644) != 0) throw system_error(errno, "chmod " + path);
  while (!text.empty()) {
    const ssize_t put = ::write(fd.get(), text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw system_error(errno, "write " + path);
    text.remove_prefix(static_cast<size_t>(put));
  }
  return path;
}

}  // namespace

HostFiles read_host_files() { return {read_or_empty("/etc/hosts"), read_or_empty("/etc/resolv.conf")}; }

ContainerFiles container_files(const ContainerConfig& config, std::string_view hostname,
                               const NetworkFileFacts& network, const HostFiles& host) {
  return {std::string(hostname) + "\n", hosts_text(config, hostname, network, host),
          resolv_conf_text(config.host, network.name_servers, host.resolv_conf)};
}

std::string edit_hosts(const std::string& hosts, const ContainerConfig& config, std::string_view hostname,
                       const NetworkFileFacts& gone, const NetworkFileFacts& come) {
  const std::vector<std::string> old_lines = network_lines(config, hostname, gone);
  const auto is_gone = [&](const std::string& line) {
    // A linked container may have had any address.
    const std::string names = line.substr(std::min(line.find('\t'), line.size() - 1) + 1);
    return std::find(old_lines.begin(), old_lines.end(), line) != old_lines.end() ||
           std::any_of(gone.links.begin(), gone.links.end(), [&](const auto& link) { return link.second == names; });
  };
  std::string text;
  std::istringstream lines(hosts);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || !is_gone(line)) text.append(line).append("\n");
  }
  for (const std::string& line : network_lines(config, hostname, come)) text.append(line).append("\n");
  return text;
}

ContainerFilePaths write_container_files(const std::string& dir, const ContainerFiles& files) {
  return {write_file(dir + "/hostname", files.hostname), write_file(dir + "/hosts", files.hosts),
          write_file(dir + "/resolv.conf", files.resolv_conf)};
}

void prepare_bind_sources(const ContainerConfig& config) {
  for (const MountConfig& mount : config.mounts) {
    if (mount.kind != MountConfig::Kind::kBind) continue;
    std::error_code error;
    if (std::filesystem::exists(mount.source, error)) continue;
    if (!mount.create_source) {
      throw Error(ErrorClass::kInvalidArgument,
                  "invalid mount config for type \"bind\": bind source path does not exist: " + mount.source);
    }
    std::filesystem::create_directories(mount.source, error);
    if (error) throw system_error(error.value(), "create bind source " + mount.source);
  }
}

}  // namespace quoll::mgr
