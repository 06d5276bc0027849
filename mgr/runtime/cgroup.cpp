#include "mgr/runtime/cgroup.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "mgr/letter_case.hpp"
#include "mgr/wall_clock.hpp"

namespace quoll::mgr {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
const std::string kRoot = "/sys/fs/cgroup";

bool is_unified() { return ::access((kRoot + "/cgroup.controllers").c_str(), F_OK) == 0; }

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// 0 for what is no number: "max", or nothing at all.
std::uint64_t to_number(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::uint64_t read_number(const std::string& path) { return to_number(read_text(path)); }

// "name value" lines.
std::map<std::string, std::uint64_t> read_table(const std::string& path) {
  std::map<std::string, std::uint64_t> table;
  std::istringstream lines(read_text(path));
  for (std::string name, value; lines >> name >> value;) table[name] = to_number(value);
  return table;
}

std::uint64_t at(const std::map<std::string, std::uint64_t>& table, const std::string& name) {
  const auto found = table.find(name);
  return found != table.end() ? found->second : 0;
}

std::uint64_t host_memory() {
  std::istringstream lines(read_text("/proc/meminfo"));
  for (std::string name, value, unit; lines >> name >> value && std::getline(lines, unit);) {
    if (name == "MemTotal:") return to_number(value) * 1024;
  }
  return 0;
}

void read_v1(const std::string& cgroup, ResourceUsage& usage) {
  const auto file = [&cgroup](const char* controller, const char* name) {
    return kRoot + "/" + controller + cgroup + "/" + name;
  };
  const std::uint64_t tick_ns = kSecond / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  usage.cpu.total_ns = read_number(file("cpuacct", "cpuacct.usage"));
  const auto ticks = read_table(file("cpuacct", "cpuacct.stat"));
  usage.cpu.user_ns = at(ticks, "user") * tick_ns;
  usage.cpu.kernel_ns = at(ticks, "system") * tick_ns;
  std::istringstream per_cpu(read_text(file("cpuacct", "cpuacct.usage_percpu")));
  for (std::uint64_t value = 0; per_cpu >> value;) usage.cpu.per_cpu_ns.push_back(value);
  const auto throttling = read_table(file("cpu", "cpu.stat"));
  usage.cpu.periods = at(throttling, "nr_periods");
  usage.cpu.throttled_periods = at(throttling, "nr_throttled");
  usage.cpu.throttled_ns = at(throttling, "throttled_time");
  usage.memory.usage = read_number(file("memory", "memory.usage_in_bytes"));
  usage.memory.max_usage = read_number(file("memory", "memory.max_usage_in_bytes"));
  usage.memory.failures = read_number(file("memory", "memory.failcnt"));
  usage.memory.limit = read_number(file("memory", "memory.limit_in_bytes"));
  usage.memory.details = read_table(file("memory", "memory.stat"));
  usage.pids = read_number(file("pids", "pids.current"));
  usage.pids_limit = read_number(file("pids", "pids.max"));
  usage.io_bytes = parse_blkio(read_text(file("blkio", "blkio.throttle.io_service_bytes_recursive")));
  usage.io_operations = parse_blkio(read_text(file("blkio", "blkio.throttle.io_serviced_recursive")));
}

void read_v2(const std::string& cgroup, ResourceUsage& usage) {
  const auto file = [&cgroup](const char* name) { return kRoot + cgroup + "/" + name; };
  const auto cpu = read_table(file("cpu.stat"));
  usage.cpu.total_ns = at(cpu, "usage_usec") * 1000;
  usage.cpu.user_ns = at(cpu, "user_usec") * 1000;
  usage.cpu.kernel_ns = at(cpu, "system_usec") * 1000;
  usage.cpu.periods = at(cpu, "nr_periods");
  usage.cpu.throttled_periods = at(cpu, "nr_throttled");
  usage.cpu.throttled_ns = at(cpu, "throttled_usec") * 1000;
  usage.memory.usage = read_number(file("memory.current"));
  usage.memory.limit = read_number(file("memory.max"));
  usage.memory.details = read_table(file("memory.stat"));
  usage.pids = read_number(file("pids.current"));
  usage.pids_limit = read_number(file("pids.max"));
  usage.io_bytes = parse_io_stat(read_text(file("io.stat")));
}

// The directory whose cgroup.procs are the container's, whichever hierarchy has it.
std::string processes_directory(const std::string& cgroup) {
  if (is_unified()) return kRoot + cgroup;
  for (const char* controller : {"pids", "memory", "cpu", "freezer", "systemd"}) {
    std::string path = kRoot + "/" + controller + cgroup;
    if (::access(path.c_str(), F_OK) == 0) return path;
  }
  return "";
}

}  // namespace

std::vector<BlockIo> parse_blkio(const std::string& text) {
  std::vector<BlockIo> entries;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    BlockIo entry;
    char operation[32] = {};
    if (std::sscanf(line.c_str(), "%lu:%lu %31s %lu", &entry.major, &entry.minor, operation, &entry.value) != 4)
      continue;
    entry.operation = lower(operation);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<BlockIo> parse_io_stat(const std::string& text) {
  std::vector<BlockIo> entries;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    BlockIo entry;
    if (std::sscanf(line.c_str(), "%lu:%lu", &entry.major, &entry.minor) != 2) continue;
    for (const auto& [key, operation] : {std::pair(" rbytes=", "read"), std::pair(" wbytes=", "write")}) {
      const std::size_t found = line.find(key);
      if (found == std::string::npos) continue;
      entry.operation = operation;
      entry.value = to_number(std::string_view(line).substr(found + 8));
      entries.push_back(entry);
    }
  }
  return entries;
}

std::vector<NetworkUsage> parse_net_dev(const std::string& text) {
  std::vector<NetworkUsage> networks;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;  // the two lines of titles
    NetworkUsage usage;
    const std::size_t begin = line.find_first_not_of(' ');
    usage.interface = line.substr(begin, colon - begin);
    if (usage.interface == "lo") continue;
    std::uint64_t skipped = 0;
    std::istringstream values(line.substr(colon + 1));
    values >> usage.rx_bytes >> usage.rx_packets >> usage.rx_errors >> usage.rx_dropped;
    for (int column = 0; column < 4; ++column) values >> skipped;
    values >> usage.tx_bytes >> usage.tx_packets >> usage.tx_errors >> usage.tx_dropped;
    networks.push_back(std::move(usage));
  }
  return networks;
}

void parse_host_cpu(const std::string& proc_stat, CpuUsage& into) {
  constexpr int kColumns = 7;  // user to softirq, as Docker adds them up
  std::istringstream lines(proc_stat);
  for (std::string line; std::getline(lines, line) && line.starts_with("cpu");) {
    if (line[3] != ' ') {
      ++into.online_cpus;
      continue;
    }
    std::istringstream values(line.substr(4));
    std::uint64_t ticks = 0;
    for (int column = 0; column < kColumns; ++column) {
      std::uint64_t value = 0;
      values >> value;
      ticks += value;
    }
    into.system_ns = ticks * (kSecond / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
  }
}

ResourceUsage read_usage(const std::string& cgroup, int pid) {
  ResourceUsage usage;
  usage.time_ns = wall_now_ns();
  usage.is_cgroup_v1 = !is_unified();
  usage.is_cgroup_v1 ? read_v1(cgroup, usage) : read_v2(cgroup, usage);
  parse_host_cpu(read_text("/proc/stat"), usage.cpu);
  const std::uint64_t host = host_memory();
  if (usage.memory.limit == 0 || usage.memory.limit > host) usage.memory.limit = host;
  if (usage.pids_limit == std::uint64_t{0}) usage.pids_limit.reset();
  usage.networks = parse_net_dev(read_text("/proc/" + std::to_string(pid) + "/net/dev"));
  return usage;
}

bool was_killed_for_memory(const std::string& cgroup) {
  const std::string path =
      is_unified() ? kRoot + cgroup + "/memory.events" : kRoot + "/memory" + cgroup + "/memory.oom_control";
  return at(read_table(path), "oom_kill") > 0;
}

void remove_cgroup(const std::string& cgroup) {
  ::rmdir((kRoot + cgroup).c_str());
  std::error_code error;
  std::filesystem::directory_iterator each(kRoot, error);
  for (; !error && each != std::filesystem::directory_iterator(); each.increment(error)) {
    ::rmdir((each->path().string() + cgroup).c_str());
  }
}

std::vector<int> read_processes(const std::string& cgroup) {
  std::vector<int> pids;
  const std::string directory = processes_directory(cgroup);
  if (directory.empty()) return pids;
  const auto add = [&pids](const std::string& path) {
    std::istringstream lines(read_text(path + "/cgroup.procs"));
    for (int pid = 0; lines >> pid;) pids.push_back(pid);
  };
  add(directory);
  std::error_code error;
  std::filesystem::recursive_directory_iterator each(directory, error);
  for (; !error && each != std::filesystem::recursive_directory_iterator(); each.increment(error)) {
    std::error_code gone;
    if (each->is_directory(gone)) add(each->path());
  }
  std::ranges::sort(pids);
  return pids;
}

}  // namespace quoll::mgr
