#include "cli/process_hosts.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "http/client.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kAnswerBound{2};
constexpr std::string_view kUnixListens = "00010000";  // __SO_ACCEPTCON
constexpr std::string_view kTcpListens = "0A";

std::string name_of(pid_t pid) { return "process " + std::to_string(pid); }

std::vector<std::string> fields_of(const std::string& line) {
  std::istringstream words(line);
  std::vector<std::string> fields;
  for (std::string word; words >> word;) fields.push_back(std::move(word));
  return fields;
}

// The inodes of all its sockets, as /proc/net names them.
std::set<std::string> socket_inodes(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid) + "/fd";
  std::error_code error;
  std::set<std::string> inodes;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    const std::string target = fs::read_symlink(entry->path(), gone);
    if (target.starts_with("socket:[")) inodes.insert(target.substr(8, target.size() - 9));
  }
  if (error.value() == ENOENT) throw Error(ErrorClass::kNotFound, name_of(pid) + ": no such process");
  if (error) throw system_error(error.value(), name_of(pid) + ": read " + directory);
  return inodes;
}

bool shares_namespace(pid_t pid, const char* kind) {
  std::error_code error;
  const std::string path = std::string("/ns/") + kind;
  return fs::read_symlink("/proc/" + std::to_string(pid) + path, error) == fs::read_symlink("/proc/self" + path, error);
}

// /proc/PID/net/unix: address, count, protocol, flags, type, state, inode, path.
void add_unix(pid_t pid, const std::set<std::string>& inodes, std::vector<std::string>& hosts) {
  const std::string process = "/proc/" + std::to_string(pid);
  const std::string root = shares_namespace(pid, "mnt") ? "" : process + "/root";
  std::ifstream file(process + "/net/unix");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> fields = fields_of(line);
    if (fields.size() < 8 || fields[3] != kUnixListens || !inodes.contains(fields[6])) continue;
    const std::string path = line.substr(line.find(fields[7], line.find(fields[6])));  // it may have spaces
    if (path.starts_with('/')) hosts.push_back("unix://" + root + path);
  }
}

// "0100007F:1F90": words of four bytes in the machine's order, and the port.
std::string tcp_host(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon != 8 && colon != 32) return {};
  std::uint32_t words[4] = {};
  std::uint16_t port = 0;
  for (std::size_t i = 0; i < colon / 8; ++i) std::from_chars(&text[i * 8], &text[i * 8] + 8, words[i], 16);
  std::from_chars(&text[colon + 1], text.data() + text.size(), port, 16);
  const bool any = std::all_of(std::begin(words), std::end(words), [](std::uint32_t word) { return word == 0; });
  char address[INET6_ADDRSTRLEN];
  ::inet_ntop(colon == 8 ? AF_INET : AF_INET6, words, address, sizeof address);
  std::string host =
      colon == 8 ? std::string(any ? "127.0.0.1" : address) : "[" + std::string(any ? "::1" : address) + "]";
  return "tcp://" + host + ":" + std::to_string(port);
}

// /proc/PID/net/tcp: number, local address, remote address, state, ..., inode as the tenth.
void add_tcp(pid_t pid, const std::set<std::string>& inodes, std::vector<std::string>& hosts) {
  if (!shares_namespace(pid, "net")) return;
  for (const char* table : {"/net/tcp", "/net/tcp6"}) {
    std::ifstream file("/proc/" + std::to_string(pid) + table);
    for (std::string line; std::getline(file, line);) {
      const std::vector<std::string> fields = fields_of(line);
      if (fields.size() < 10 || fields[3] != kTcpListens || !inodes.contains(fields[9])) continue;
      if (std::string host = tcp_host(fields[1]); !host.empty()) hosts.push_back(std::move(host));
    }
  }
}

bool is_for_debugging(const std::string& host) {
  return host.substr(host.rfind('/') + 1).find("debug") != std::string::npos;
}

task::Task<bool> serves_debug(std::string host) {
  try {
    http::Client client = http::Client::from_url(host);
    http::ClientRequest request{.method = "HEAD", .target = "/debug/pprof/cmdline"};
    const http::ClientResponse answer = co_await task::with_deadline(kAnswerBound, client.request(std::move(request)));
    co_return answer.status() == 200;
  } catch (const Error&) {
    co_return false;
  }
}

}  // namespace

std::vector<std::string> listeners_of(pid_t pid) {
  const std::set<std::string> inodes = socket_inodes(pid);
  std::vector<std::string> hosts;
  add_unix(pid, inodes, hosts);
  add_tcp(pid, inodes, hosts);
  std::sort(hosts.begin(), hosts.end(), [](const std::string& a, const std::string& b) {
    return std::pair(!is_for_debugging(a), a) < std::pair(!is_for_debugging(b), b);
  });
  if (hosts.empty()) {
    throw Error(ErrorClass::kNotFound, name_of(pid) + " listens on no socket that can be reached from here");
  }
  return hosts;
}

task::Task<std::string> find_debug_host(pid_t pid) {
  const std::vector<std::string> hosts = listeners_of(pid);
  std::string all;
  for (const std::string& host : hosts) {
    if (co_await serves_debug(host)) co_return host;
    all += " " + host;
  }
  throw Error(ErrorClass::kNotFound, name_of(pid) + " serves /debug on none of its sockets:" + all);
}

}  // namespace quoll::cli
