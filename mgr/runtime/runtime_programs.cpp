#include "mgr/runtime/runtime_programs.hpp"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <utility>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0 ? name : "";
  for (const char* directory : {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
    if (::access((directory + name).c_str(), X_OK) == 0) return directory + name;
  }
  return "";
}

std::string own_directory() {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length < 0) throw system_error(errno, "readlink /proc/self/exe");
  const std::string_view whole(path, static_cast<std::size_t>(length));
  return std::string(whole.substr(0, whole.rfind('/')));
}

}  // namespace

RuntimePrograms find_runtime_programs(const std::string& wanted, std::string state_directory) {
  RuntimePrograms programs;
  programs.runtime = wanted.empty() ? find_program("crun") : find_program(wanted);
  if (programs.runtime.empty() && wanted.empty()) programs.runtime = find_program("runc");
  if (programs.runtime.empty()) {
    throw Error(ErrorClass::kFailedPrecondition,
                wanted.empty() ? "neither crun nor runc is installed" : "runtime " + wanted + " is not installed");
  }
  programs.shim = own_directory() + "/quoll-runtime";
  programs.monitor = own_directory() + "/quoll-monitor";
  for (const std::string& own : {programs.shim, programs.monitor}) {
    if (::access(own.c_str(), X_OK) == 0) continue;
    throw Error(ErrorClass::kFailedPrecondition, own + " is missing: it belongs beside the daemon");
  }
  programs.state_directory = std::move(state_directory);
  programs.is_crun = std::filesystem::canonical(programs.runtime).filename() == "crun";
  return programs;
}

const std::vector<std::string>& program_environment() {
  static const std::vector<std::string> environment{
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  return environment;
}

}  // namespace quoll::mgr
