#include "daemon/instance.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "task/error.hpp"

namespace quoll::daemon {

UniqueFd lock_directory(const std::string& path) {
  std::filesystem::create_directories(path);
  ::chmod(path.c_str(), 0711);
  const std::string lock_path = path + "/lock";
  UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) throw system_error(errno, "open " + lock_path);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) throw Error(ErrorClass::kUnavailable, path + " is in use by another daemon");
  throw system_error(errno, "lock " + lock_path);
}

PidFile::PidFile(std::string path) : path_(std::move(path)) {
  std::ifstream existing(path_);
  pid_t pid = 0;
  if (existing >> pid && pid > 0 && pid != ::getpid() && ::kill(pid, 0) == 0) {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe", error);
    if (program.filename() == "quolld") {
      throw Error(ErrorClass::kUnavailable,
                  "pid file " + path_ + " names process " + std::to_string(pid) + ", which runs");
    }
  }
  std::ofstream file(path_, std::ios::trunc);
  file << ::getpid() << "\n";
  if (!file.flush()) throw system_error(errno, "write " + path_);
}

PidFile::~PidFile() { ::unlink(path_.c_str()); }

std::string installation_id(const std::string& root) {
  const std::string path = root + "/engine-id";
  std::string id;
  if (std::ifstream(path) >> id) return id;
  unsigned char bytes[16];
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) throw system_error(errno, "getrandom");
  for (const unsigned char byte : bytes) {
    id += "0123456789abcdef"[byte >> 4];
    id += "0123456789abcdef"[byte & 15];
  }
  std::ofstream(path) << id << "\n";
  return id;
}

void raise_descriptor_limit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace quoll::daemon
