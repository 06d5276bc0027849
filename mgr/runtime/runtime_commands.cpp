#include "mgr/runtime/runtime_commands.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "mgr/image/durable_file.hpp"
#include "mgr/runtime/host_process.hpp"
#include "mgr/runtime/runtime_words.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"
#include "task/process.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kSmallFileBytesMax = 64 * 1024;

// Empty where it cannot be read.
std::string read_small_file(const std::string& path) {
  try {
    return read_file(path, kSmallFileBytesMax);
  } catch (const Error&) {
    return "";
  }
}

task::Task<task::CommandResult> run_runtime(const RuntimePrograms& programs, std::vector<std::string> arguments,
                                            std::string input = "") {
  arguments.insert(arguments.begin(), {programs.runtime, "--root", programs.state_directory});
  task::CommandOptions options;
  options.env = program_environment();
  options.standard_input = std::move(input);
  co_return co_await task::run_command(std::move(arguments), std::move(options));
}

task::Task<void> require_success(task::Task<task::CommandResult> command, std::string what) {
  const task::CommandResult result = co_await std::move(command);
  if (!result.exit.success()) {
    throw Error(ErrorClass::kInternal, what + ": " + in_gos_words(result.standard_error));
  }
}

}  // namespace

task::Task<void> runtime_start(const RuntimePrograms& programs, const std::string& id) {
  const task::CommandResult result = co_await run_runtime(programs, {"start", id});
  if (result.exit.success()) co_return;
  throw Error(ErrorClass::kInvalidArgument,
              "failed to start container: OCI runtime start failed: " + in_gos_words(result.standard_error));
}

task::Task<void> runtime_delete(const RuntimePrograms& programs, const std::string& id) {
  const task::CommandResult result = co_await run_runtime(programs, {"delete", "--force", id});
  if (!result.exit.success()) spdlog::debug("container {}: runtime delete: {}", id, result.standard_error);
}

task::Task<std::optional<std::string>> runtime_status(const RuntimePrograms& programs, const std::string& id) {
  const task::CommandResult result = co_await run_runtime(programs, {"state", id});
  if (!result.exit.success()) co_return std::nullopt;
  const auto json = nlohmann::json::parse(result.standard_output, nullptr, false);
  if (!json.is_object()) co_return std::nullopt;
  co_return json.value("status", "");
}

task::Task<void> runtime_pause(const RuntimePrograms& programs, const std::string& id) {
  co_await require_success(run_runtime(programs, {"pause", id}), "cannot pause container " + id);
}

task::Task<void> runtime_resume(const RuntimePrograms& programs, const std::string& id) {
  co_await require_success(run_runtime(programs, {"resume", id}), "cannot resume container " + id);
}

task::Task<void> runtime_update(const RuntimePrograms& programs, const std::string& id, std::string resources) {
  co_await require_success(run_runtime(programs, {"update", "--resources", "/dev/stdin", id}, std::move(resources)),
                           "cannot update container " + id);
}

task::Task<ExecOutput> runtime_exec(const RuntimePrograms& programs, const std::string& id, const std::string& files,
                                    const std::string& process, std::chrono::nanoseconds time_limit,
                                    std::size_t output_bytes_max) {
  co_await task::blocking([&] {
    ::unlink((files + ".pid").c_str());
    const UniqueFd file = open_file(files + ".json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    write_all(file.get(), process, files + ".json");
  });
  // The runtime's end is not that of the process it has started: whoever leaves here early ends that one, too.
  struct Killer {
    // 0: it has not come so far.
    int pid() const { return read_pid_file(pid_file); }
    ~Killer() {
      const int pid = armed ? this->pid() : 0;
      if (pid == 0) return;
      const std::string cgroup = read_small_file("/proc/" + std::to_string(pid) + "/cgroup");
      if (cgroup.find(id) != std::string::npos) ::kill(pid, SIGKILL);
    }
    const std::string& id;
    const std::string pid_file;
    bool armed = true;
  } killer{id, files + ".pid"};
  std::vector<std::string> argv{programs.runtime, "--root",     programs.state_directory, "exec", "--process",
                                files + ".json",  "--pid-file", files + ".pid",           id};
  task::CommandOptions options;
  options.env = program_environment();
  options.output_bytes_max = output_bytes_max;
  options.time_limit = time_limit;
  // Killed before it has said which process it has started, it would leave that one to run on.
  options.killable = [&killer] { return killer.pid() > 0; };
  const task::CommandResult result = co_await task::run_command(std::move(argv), std::move(options));
  killer.armed = false;
  const int code = result.exit.signal != 0 ? 128 + result.exit.signal : result.exit.code;
  co_return ExecOutput{code, result.standard_output + result.standard_error};
}

}  // namespace quoll::mgr
