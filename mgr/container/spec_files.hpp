// The three files that a container has from the daemon: /etc/hostname, /etc/hosts and /etc/resolv.conf.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mgr/container/container_config.hpp"

namespace quoll::mgr {

// Texts of the files.
struct ContainerFiles {
  std::string hostname, hosts, resolv_conf;
};

// Where they are on the host. An empty path is not mounted.
struct ContainerFilePaths {
  std::string hostname, hosts, resolv_conf;
};

// The host's own files, which a container with the host's network gets copies of.
struct HostFiles {
  std::string hosts, resolv_conf;
};

HostFiles read_host_files();

// What networks have to say in them.
struct NetworkFileFacts {
  std::vector<std::string> addresses;                      // the container's own
  std::vector<std::pair<std::string, std::string>> links;  // address, and the names of a linked container
  std::vector<std::string> name_servers;                   // of its networks; empty: the host's
};

// What the container's files shall say.
ContainerFiles container_files(const ContainerConfig& config, std::string_view hostname,
                               const NetworkFileFacts& network, const HostFiles& host);

// `hosts` with the lines of `gone` taken out and those of `come` put in; what else the container has written there
// stays.
std::string edit_hosts(const std::string& hosts, const ContainerConfig& config, std::string_view hostname,
                       const NetworkFileFacts& gone, const NetworkFileFacts& come);

// Writes them into `dir` as hostname, hosts and resolv.conf, for every user of the container to read.
//
// Errors: kResourceExhausted for a full disk; what is there then is not to be used.
ContainerFilePaths write_container_files(const std::string& dir, const ContainerFiles& files);

// Makes the sources of Binds that are missing, as directories, and checks that those of Mounts are there.
//
// Errors: kInvalidArgument in Docker's words for a source that is missing.
void prepare_bind_sources(const ContainerConfig& config);

}  // namespace quoll::mgr
