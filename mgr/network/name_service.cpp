#include "mgr/network/name_service.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "task/blocking.hpp"
#include "task/error.hpp"
#include "task/process.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {
namespace {

namespace fs = std::filesystem;

constexpr auto kStartTimeMax = std::chrono::seconds(10);
constexpr const char* kPidFile = "aardvark.pid";
constexpr const char* kInternalSuffix = "%int";
constexpr int kFirstPort = 20053;
constexpr int kPortCount = 1000;

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

std::string join(const std::vector<IpAddress>& addresses, std::optional<IpFamily> family = std::nullopt) {
  std::vector<std::string> words;
  for (const IpAddress& address : addresses) {
    if (!family || address.family == *family) words.push_back(to_string(address));
  }
  return join(words);
}

bool is_free(int port) {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<std::uint16_t>(port));
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
}

void replace_file(const fs::path& path, const fs::path& temporary, const std::string& text) {
  {
    std::ofstream file(temporary, std::ios::trunc);
    file << text;
    if (!file.flush()) throw Error(ErrorClass::kResourceExhausted, "write " + temporary.string());
  }
  fs::rename(temporary, path);
}

}  // namespace

// In an internal network nobody may be asked: aardvark-dns before 1.9 does not know the suffix, and asks the servers
// that a container has. To this one no program may send.
constexpr IpAddress kNobody{IpFamily::kV4, 0xffffffff};

std::string names_text(const NetworkNames& names) {
  std::string text = join(names.listen) + "\n";
  for (const NamedContainer& container : names.containers) {
    text += container.id + " " + join(container.addresses, IpFamily::kV4) + " " +
            join(container.addresses, IpFamily::kV6) + " " + join(container.names);
    const std::vector<IpAddress> servers = names.internal ? std::vector{kNobody} : container.servers;
    if (!servers.empty()) text += " " + join(servers);
    text += "\n";
  }
  return text;
}

NameService::NameService(std::string program, std::string directory)
    : program_(std::move(program)), directory_(std::move(directory)), names_directory_(directory_ + "/names") {
  std::ifstream(directory_ + "/dns-port") >> port_;
}

void NameService::choose_port() {
  if (port_ != 0 || !available()) return;
  for (int port = kFirstPort; port < kFirstPort + kPortCount; ++port) {
    if (!is_free(port)) continue;
    port_ = port;
    break;
  }
  fs::create_directories(names_directory_);
  replace_file(directory_ + "/dns-port", directory_ + "/dns-port.new", std::to_string(port_) + "\n");
}

task::Task<void> NameService::update(std::string network_id, std::optional<NetworkNames> names) {
  if (!available()) co_return;
  auto guard = co_await mutex_.lock();
  co_await task::blocking([&] {
    const std::string path = names_directory_ + "/" + network_id;
    if (names) {
      fs::create_directories(names_directory_);
      replace_file(path + (names->internal ? kInternalSuffix : ""), directory_ + "/names.new", names_text(*names));
    } else {
      std::error_code ignored;
      fs::remove(path, ignored);
      fs::remove(path + kInternalSuffix, ignored);
    }
  });
  co_await tell();
}

task::Task<void> NameService::keep_only(std::vector<std::string> network_ids) {
  auto guard = co_await mutex_.lock();
  const bool changed = co_await task::blocking([&] {
    bool removed = false;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(names_directory_, none)) {
      const std::string name = entry.path().filename();
      if (name == kPidFile || std::ranges::find(network_ids, name.substr(0, name.find('%'))) != network_ids.end()) {
        continue;
      }
      removed = fs::remove(entry.path()) || removed;
    }
    return removed;
  });
  if (changed) signal_server();
}

// The process that the file names, if it is ours: a pid may be another's by now.
bool NameService::signal_server() const {
  pid_t pid = 0;
  if (!(std::ifstream(names_directory_ + "/" + kPidFile) >> pid) || pid <= 0) return false;
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
  const std::string command((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return command.find(names_directory_) != std::string::npos && ::kill(pid, SIGHUP) == 0;
}

task::Task<void> NameService::tell() {
  if (signal_server()) co_return;
  std::error_code error;
  bool any = false;
  for (const auto& entry : fs::directory_iterator(names_directory_, error)) {
    any = any || entry.path().filename() != kPidFile;
  }
  if (!any) co_return;
  task::CommandOptions options;
  options.time_limit = kStartTimeMax;
  const task::CommandResult result = co_await task::run_command(
      {program_, "--config", names_directory_, "-p", std::to_string(port_), "run"}, std::move(options));
  if (!result.exit.success()) {
    throw Error(ErrorClass::kInternal, "aardvark-dns: " + result.standard_error.substr(0, 300));
  }
}

}  // namespace quoll::mgr
