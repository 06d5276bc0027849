// A container's cgroup as the kernel shows it: what it uses, and which processes are in it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quoll::mgr {

struct CpuUsage {
  std::uint64_t total_ns = 0;
  std::uint64_t kernel_ns = 0;
  std::uint64_t user_ns = 0;
  std::vector<std::uint64_t> per_cpu_ns;  // of v1 only
  std::uint64_t system_ns = 0;            // what the whole host has used, idling included
  std::uint64_t online_cpus = 0;
  std::uint64_t periods = 0;
  std::uint64_t throttled_periods = 0;
  std::uint64_t throttled_ns = 0;
};

struct MemoryUsage {
  std::uint64_t usage = 0;
  std::uint64_t limit = 0;                 // the host's memory where there is no lower limit
  std::optional<std::uint64_t> max_usage;  // of v1 only, as is failures
  std::optional<std::uint64_t> failures;
  std::map<std::string, std::uint64_t> details;  // memory.stat as it is
};

struct BlockIo {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::string operation;  // "read", "write", ...
  std::uint64_t value = 0;
};

struct NetworkUsage {
  std::string interface;
  std::uint64_t rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0;
  std::uint64_t tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0;
};

struct ResourceUsage {
  std::int64_t time_ns = 0;
  bool is_cgroup_v1 = true;
  CpuUsage cpu;
  MemoryUsage memory;
  std::uint64_t pids = 0;
  std::optional<std::uint64_t> pids_limit;
  std::vector<BlockIo> io_bytes;
  std::vector<BlockIo> io_operations;
  std::vector<NetworkUsage> networks;
};

// `cgroup`: the path below the root of each hierarchy. v1 controllers beside a cgroup2 mount count as v1. `pid`: whose
// network interfaces are counted, but for loopback.
//
// Thread: any; blocks on the kernel's file systems. What is not there (any more) is 0.
ResourceUsage read_usage(const std::string& cgroup, int pid);

// All processes of the cgroup and of those below it.
std::vector<int> read_processes(const std::string& cgroup);

// Whether the kernel has killed a process of the cgroup for memory. A cgroup without processes still knows.
bool was_killed_for_memory(const std::string& cgroup);

// Removes the cgroup from each hierarchy, as far as it has neither processes nor cgroups below it: what a runtime
// leaves that failed half way through the creation.
void remove_cgroup(const std::string& cgroup);

// The parts that have a format of their own, for tests.
std::vector<BlockIo> parse_blkio(const std::string& text);          // v1: "8:0 Read 4096"
std::vector<BlockIo> parse_io_stat(const std::string& text);        // v2: "8:0 rbytes=1 wbytes=2 ..."
std::vector<NetworkUsage> parse_net_dev(const std::string& text);   // /proc/PID/net/dev
void parse_host_cpu(const std::string& proc_stat, CpuUsage& into);  // /proc/stat

}  // namespace quoll::mgr
