#include "mgr/container/container_bundle.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "mgr/container/container_volumes.hpp"
#include "mgr/container/spec.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/image/remove_tree.hpp"
#include "mgr/runtime/detached_overlay.hpp"
#include "mgr/runtime/host_process.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kNetworkFileBytesMax = 16 << 20;
constexpr std::size_t kHostsBytesMax = 16 << 20;
constexpr const char* kNetworkFile = "/network.json";

void make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0) throw system_error(errno, "mkdir " + path);
  if (::chmod(path.c_str(), mode) != 0) throw system_error(errno, "chmod " + path);  // whatever the umask is
}

void write_file(const std::string& path, std::string_view content) {
  const UniqueFd file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  write_all(file.get(), content, path);
}

std::string overlay_description(const ContainerPaths& paths, const std::vector<std::filesystem::path>& layers,
                                int shm_pid) {
  std::string text;
  for (const auto& layer : layers) text += "lowerdir=" + layer.string() + "\n";
  text += "upperdir=" + paths.directory + "/upper\nworkdir=" + paths.directory + "/work\n";
  text += "target=" + paths.bundle + "/rootfs\n";
  if (shm_pid > 0) text += "shm_pid=" + std::to_string(shm_pid) + "\nshm_target=" + paths.bundle + "/shm\n";
  return text;
}

// The user is looked up in the files as the container will see them, what it wrote in earlier runs included.
ContainerUser user_of(const Container& container, const std::vector<std::filesystem::path>& layers) {
  std::vector<std::string> directories{container.paths().directory + "/upper"};
  for (const auto& layer : layers) directories.push_back(layer.string());
  const UniqueFd root = open_detached_overlay(directories);
  return lookup_user("/proc/self/fd/" + std::to_string(root.get()), container.config()->user,
                     container.config()->host.group_add);
}

std::string host_hostname() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "localhost";
  return name;
}

SpecInput spec_input(const Container& container) {
  SpecInput input;
  input.id = container.id();
  input.rootfs = container.paths().bundle + "/rootfs";
  input.cgroup = container.paths().cgroup;
  input.init = init_program();
  input.hostname = effective_hostname(*container.config(), container.id(), host_hostname());
  return input;
}

}  // namespace

const HostFacts& host_facts() {
  static const HostFacts facts = read_host_facts();
  return facts;
}

// A static one, which runs in any image.
const std::string& init_program() {
  static const std::string program = [] {
    for (const char* path : {"/usr/bin/docker-init", "/usr/libexec/docker/docker-init", "/usr/bin/tini-static",
                             "/usr/bin/catatonit", "/usr/libexec/podman/catatonit"}) {
      if (::access(path, X_OK) == 0) return std::string(path);
    }
    return std::string();
  }();
  return program;
}

std::string hostname_of(const Container& container) {
  return effective_hostname(*container.config(), container.id(), host_hostname());
}

void make_container_directories(const ContainerPaths& paths) {
  make_directory(paths.directory, 0710);
  make_directory(paths.directory + "/upper", 0755);
  make_directory(paths.directory + "/work", 0700);
  make_directory(paths.log_directory(), 0700);
}

std::optional<std::string> write_bundle(const Container& container, const std::vector<std::filesystem::path>& layers,
                                        const BundleNetwork& network, const JoinedContainers& joined,
                                        const SeccompFilters* filters) {
  const ContainerPaths& paths = container.paths();
  ContainerConfig config = *container.config();
  if (!remove_tree(paths.bundle)) throw Error(ErrorClass::kInternal, paths.bundle + " cannot be removed");
  for (const char* directory : {"", "/rootfs", "/exit"}) make_directory(paths.bundle + directory, 0711);

  SpecInput input = spec_input(container);
  if (network.files_directory.empty()) {
    input.files = write_container_files(paths.directory,
                                        container_files(config, input.hostname, network.files, read_host_files()));
  } else {
    input.files = {network.files_directory + "/hostname", network.files_directory + "/hosts",
                   network.files_directory + "/resolv.conf"};
    input.hostname = network.hostname;
    input.namespaces["network"] = network.namespace_path;
  }
  if (joined.pid) input.namespaces["pid"] = joined.pid->namespace_path("pid");
  if (joined.ipc) {
    input.namespaces["ipc"] = joined.ipc->namespace_path("ipc");
    input.shm = paths.bundle + "/shm";
    make_directory(input.shm, 0711);
  }
  write_file(paths.bundle + kNetworkFile, to_json(*container.state().network).dump());
  input.user = user_of(container, layers);
  prepare_bind_sources(config);
  const std::string subpaths = prepare_subpaths(config.mounts, paths.bundle);
  if (!subpaths.empty()) write_file(paths.bundle + "/subpaths", subpaths);
  std::vector<std::string> warnings;
  nlohmann::json spec = build_spec(config, input, host_facts(), warnings);
  for (const std::string& warning : warnings) spdlog::warn("container {}: {}", container.id(), warning);
  std::optional<std::string> unknown_profile;
  if (filters != nullptr) unknown_profile = filters->annotate(spec);
  write_file(paths.bundle + "/config.json", spec.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  write_file(paths.bundle + "/overlay", overlay_description(paths, layers, joined.ipc ? joined.ipc->pid : 0));
  return unknown_profile;
}

std::vector<std::string> creation_warnings(const Container& container) {
  std::vector<std::string> warnings;
  build_spec(*container.config(), spec_input(container), host_facts(), warnings);
  return warnings;
}

ContainerRecord record_of(const ContainerSnapshot& snapshot) {
  return {snapshot.id, snapshot.name, snapshot.created_ns, snapshot.image_id, *snapshot.config, snapshot.state};
}

MonitoredContainer monitored(const Container& container) {
  MonitoredContainer result;
  result.id = container.id();
  result.bundle = container.paths().bundle;
  if (container.log()) result.log_path = container.paths().log_file();
  result.streams.terminal = container.config()->tty;
  result.streams.open_stdin = container.config()->open_stdin;
  return result;
}

std::optional<ContainerNetwork> read_left_network(const std::string& bundle) {
  try {
    return container_network_from_json(nlohmann::json::parse(read_file(bundle + kNetworkFile, kNetworkFileBytesMax)));
  } catch (const std::exception& error) {
    spdlog::error("{}{}: {}", bundle, kNetworkFile, error.what());
    return std::nullopt;
  }
}

void edit_container_files(const Container& container, const NetworkFileFacts& gone, const NetworkFileFacts& come) {
  const std::string& directory = container.paths().directory;
  const auto config = container.config();
  const std::string hostname = effective_hostname(*config, container.id(), host_hostname());
  const std::string hosts = read_file(directory + "/hosts", kHostsBytesMax);
  const std::string edited = edit_hosts(hosts, *config, hostname, gone, come);
  // In place: the file is mounted into the container.
  if (edited != hosts) write_file(directory + "/hosts", edited);
  if (gone.name_servers != come.name_servers) {
    write_file(directory + "/resolv.conf", container_files(*config, hostname, come, read_host_files()).resolv_conf);
  }
}

std::optional<MonitorProcesses> read_left_processes(const std::string& bundle) {
  MonitorProcesses processes;
  processes.monitor_pid = read_pid_file(bundle + "/monitor.pid");
  processes.init_pid = read_pid_file(bundle + "/init.pid");
  processes.monitor_start_time = process_start_time(processes.monitor_pid);
  if (processes.monitor_pid == 0 || processes.init_pid == 0 || processes.monitor_start_time == 0) return std::nullopt;
  return processes;
}

}  // namespace quoll::mgr
