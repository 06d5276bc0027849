#include "debug/signal_dump.hpp"

#include <fcntl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <optional>
#include <string>

#include "debug/dump.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::debug {
namespace {

// "2026-11-23T214958.123456Z": without colons, which not every file system and no tar takes well.
std::string time_for_file_name() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count() % 1'000'000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H%M%S", &utc);
  std::string fraction = std::to_string(micros);
  fraction.insert(0, 6 - fraction.size(), '0');
  return std::string(text, size) + "." + fraction + "Z";
}

// A file that has its name only once all is in it. The calls block: they run on the pool.
class DumpFile {
 public:
  explicit DumpFile(const std::filesystem::path& directory)
      : path_(directory / ("goroutine-stacks-" + time_for_file_name() + ".log")),
        partial_(path_.string() + ".partial") {
    fd_.reset(::open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd_) throw system_error(errno, "create " + partial_.string());
  }
  ~DumpFile() {
    if (fd_) ::unlink(partial_.c_str());
  }
  DumpFile(const DumpFile&) = delete;
  DumpFile& operator=(const DumpFile&) = delete;

  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::write(fd_.get(), text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw system_error(errno, "write " + partial_.string());
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void publish() {
    if (::rename(partial_.c_str(), path_.c_str()) != 0) throw system_error(errno, "rename " + partial_.string());
    fd_.reset();
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  const std::filesystem::path path_;
  const std::filesystem::path partial_;
  UniqueFd fd_;
};

// The file of one dump, until something goes wrong with it.
struct Output {
  const SignalDumpOptions& options;
  std::optional<DumpFile> file;

  // Runs one step with the file on the pool.
  template <typename F>
  task::Task<void> on_file(F step) {
    try {
      co_await task::blocking(std::move(step));
    } catch (const Error& error) {
      file.reset();
      options.log_line("goroutine stacks are not written to a file: " + error.message());
    }
  }
};

task::Task<void> write_dump(Output& out, std::string_view text) {
  out.options.log_text(text);
  if (out.file) co_await out.on_file([&out, text] { out.file->write(text); });
}

}  // namespace

UniqueFd block_dump_signal() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) throw system_error(errno, "signalfd");
  return fd;
}

task::Task<void> dump_to_log_and_file(task::Runtime& runtime, const SignalDumpOptions& options) {
  Output out{options, {}};
  co_await out.on_file([&out] { out.file.emplace(out.options.directory); });
  options.log_text(kDumpBegin);
  TextSink sink = [&out](std::string_view text) { return write_dump(out, text); };
  co_await stream_text(runtime, {}, std::move(sink));
  options.log_text(kDumpEnd);
  if (out.file) co_await out.on_file([&out] { out.file->publish(); });
  if (out.file) options.log_line("goroutine stacks written to " + out.file->path().string());
}

task::Task<void> dump_on_signal(task::Runtime& runtime, UniqueFd signal, SignalDumpOptions options) {
  task::AsyncFd signals(std::move(signal));
  std::array<char, 8 * sizeof(signalfd_siginfo)> received;
  while (true) {
    co_await signals.read_some(received);
    std::optional<std::string> failure;
    try {
      co_await dump_to_log_and_file(runtime, options);
    } catch (const Error& error) {
      failure = error.message();
    }
    if (failure) options.log_line("goroutine stacks could not be dumped: " + *failure);
  }
}

}  // namespace quoll::debug
