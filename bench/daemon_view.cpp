#include "bench/daemon_view.hpp"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace bench {
namespace {

constexpr std::string_view kTotal = "goroutine profile: total ";

std::int64_t descriptors_of(const std::string& pid) {
  const std::string path = "/proc/" + pid + "/fd";
  struct stat status{};
  // From Linux 6.2 on the directory's size is the number of open descriptors: no listing then.
  if (::stat(path.c_str(), &status) == 0 && status.st_size > 0) return status.st_size;
  DIR* const directory = ::opendir(path.c_str());
  if (directory == nullptr) fail_errno("open " + path);
  std::int64_t count = -2;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

}  // namespace

DaemonView::DaemonView(const Arguments& arguments) : prefix_(arguments.text("debug-prefix", "")) {
  std::istringstream pids(arguments.text("pids"));
  for (std::string pid; std::getline(pids, pid, ',');) pids_.push_back(pid);
  const std::string target = arguments.text("debug-target", "");
  if (!target.empty()) client_ = std::make_unique<Client>(target);
}

DaemonView::Count DaemonView::count() {
  Count count;
  if (client_) {
    const Client::Answer answer = client_->call(get_request(prefix_ + "goroutine?debug=1"));
    if (!answer.body.starts_with(kTotal)) fail("no goroutine profile: " + answer.body.substr(0, 200));
    count.tasks = std::strtol(answer.body.c_str() + kTotal.size(), nullptr, 10);
  }
  count.descriptors = descriptors_of(pids_.front());
  return count;
}

std::int64_t DaemonView::resident_kb() const {
  std::int64_t sum = 0;
  for (const std::string& pid : pids_) {
    std::ifstream status("/proc/" + pid + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmRSS:")) sum += std::strtol(line.c_str() + 6, nullptr, 10);
    }
  }
  return sum;
}

DaemonView::Count DaemonView::settled() {
  constexpr int kSame = 10;
  Count last = count();
  for (int same = 0, looks = 0; same < kSame && looks < 300; ++looks) {
    ::usleep(10'000);
    const Count now = count();
    same = now.tasks == last.tasks && now.descriptors == last.descriptors ? same + 1 : 0;
    last = now;
  }
  return last;
}

double DaemonView::wait_until_gone(const Count& before, std::int64_t since_ns, std::int64_t timeout_ms) {
  while (true) {
    const Count now = count();
    const std::int64_t passed_ns = now_ns() - since_ns;
    if (now.tasks <= before.tasks && now.descriptors <= before.descriptors) return static_cast<double>(passed_ns) / 1e6;
    if (passed_ns > timeout_ms * 1'000'000) return -1;
  }
}

std::string DaemonView::dump() { return client_->call(get_request(prefix_ + "goroutine?debug=2")).body; }

}  // namespace bench
