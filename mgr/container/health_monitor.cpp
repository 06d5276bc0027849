#include "mgr/container/health_monitor.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

#include "mgr/container/container_id.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/runtime/runtime_commands.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kSpecBytesMax = 16 * 1024 * 1024;

std::vector<std::string> probe_arguments(const HealthConfig& config) {
  std::vector<std::string> arguments(config.test.begin() + 1, config.test.end());
  if (config.test[0] == "CMD-SHELL") arguments.insert(arguments.begin(), {"/bin/sh", "-c"});
  return arguments;
}

std::string command_line(const std::vector<std::string>& arguments) {
  std::string line;
  for (const std::string& argument : arguments) line += (line.empty() ? "" : " ") + argument;
  return line;
}

// The probe runs as the container's own process does: user, environment, directory, capabilities.
std::string probe_process(const std::string& bundle, const std::vector<std::string>& arguments) {
  nlohmann::json process = nlohmann::json::parse(read_file(bundle + "/config.json", kSpecBytesMax)).at("process");
  process["args"] = arguments;
  process["terminal"] = false;
  process.erase("consoleSize");
  return process.dump();
}

std::string seconds_text(std::int64_t duration_ns) {
  std::string text = std::to_string(static_cast<double>(duration_ns) / 1e9);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text + "s";
}

task::Task<HealthResult> run_probe(const Container& container, const RuntimePrograms& programs,
                                   const HealthConfig& config, const std::vector<std::string>& arguments) {
  HealthResult result;
  result.start_ns = wall_now_ns();
  try {
    const std::string process =
        co_await task::blocking([&] { return probe_process(container.paths().bundle, arguments); });
    const ExecOutput output =
        co_await runtime_exec(programs, container.id(), container.paths().bundle + "/health", process,
                              std::chrono::nanoseconds(config.timeout_ns), Health::kOutputBytesMax);
    result.exit_code = output.exit_code;
    result.output = output.text;
  } catch (const Error& error) {
    result.exit_code = -1;
    const bool late = error.error_class() == ErrorClass::kDeadlineExceeded;
    result.output = late ? "Health check exceeded timeout (" + seconds_text(config.timeout_ns) + ")" : error.message();
  } catch (const nlohmann::json::exception& error) {
    result.exit_code = -1;
    result.output = error.what();
  }
  result.end_ns = wall_now_ns();
  co_return result;
}

// True where the run has ended.
task::Task<bool> run_ends_within(Container& container, std::chrono::nanoseconds time) {
  auto wait = [](task::Event& event) -> task::Task<void> { co_await event.wait(); };
  try {
    co_await task::with_deadline(time, wait(container.run_ended()));
  } catch (const Error& error) {
    if (error.error_class() == ErrorClass::kDeadlineExceeded) co_return false;
    throw;
  }
  co_return true;
}

}  // namespace

task::Task<void> monitor_health(std::shared_ptr<Container> container, const RuntimePrograms& programs,
                                HealthReport report) {
  const HealthConfig config = with_health_defaults(*container->config()->healthcheck);
  const std::vector<std::string> arguments = probe_arguments(config);
  const std::string line = command_line(arguments);
  const std::int64_t started_ns = container->state().started_at_ns;
  Health health;
  container->set_health(health);
  while (true) {
    const std::int64_t delay_ns = probe_delay_ns(health, config, started_ns, wall_now_ns());
    if (co_await run_ends_within(*container, std::chrono::nanoseconds(delay_ns))) co_return;
    if (container->state().status != ContainerStatus::kRunning) continue;  // paused
    EventAttributes probe{{"execID", new_container_id()}};
    report(*container, "exec_create: " + line, probe);
    report(*container, "exec_start: " + line, probe);
    HealthResult result = co_await run_probe(*container, programs, config, arguments);
    if (container->run_ended().is_set()) co_return;
    probe["exitCode"] = std::to_string(result.exit_code);
    const HealthStatus before = health.status;
    health.add(std::move(result), config, started_ns);
    container->set_health(health);
    report(*container, "exec_die", std::move(probe));
    if (health.status != before) report(*container, "health_status: " + std::string(to_string(health.status)), {});
  }
}

}  // namespace quoll::mgr
