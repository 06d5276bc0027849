// quolld: parse, build, listen, wait for the signal, stop in reverse.
#include <malloc.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <functional>
#include <future>
#include <optional>
#include <thread>

#include "daemon/config.hpp"
#include "daemon/daemon.hpp"
#include "daemon/startup_pages.hpp"
#include "debug/heap_sampler.hpp"
#include "debug/leak_watch.hpp"
#include "debug/signal_dump.hpp"
#include "debug/worker_watch.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"
#include "task/scope.hpp"
#include "task/signals.hpp"

namespace quoll::daemon {
namespace {

constexpr std::size_t kWorkersMax = 8;

void set_up_logging(const std::string& level) {
  auto logger = spdlog::stderr_logger_mt("quolld");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %v");
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  set_log_level(level);
}

using ReadConfig = std::function<std::optional<Config>()>;

task::Task<void> reload(Daemon& daemon, const ReadConfig& read_again) {
  spdlog::info("reloading the configuration");
  try {
    daemon.reload(co_await task::blocking([&read_again] { return *read_again(); }));
  } catch (const Error& error) {
    spdlog::error("the configuration stays as it is: {}", error.message());
  }
}

task::Task<void> serve_until_signalled(Daemon& daemon, const ReadConfig& read_again) {
  task::SignalWaiter signals({SIGTERM, SIGINT, SIGHUP});
  std::exception_ptr failure;
  try {
    co_await daemon.start();
    drop_startup_pages();
    spdlog::info("quolld " QUOLL_VERSION " is ready");
    int signal = co_await signals.next();
    while (signal == SIGHUP) {
      co_await reload(daemon, read_again);
      signal = co_await signals.next();
    }
    spdlog::info("stopping on signal {}", signal);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await daemon.stop();
  if (failure) std::rethrow_exception(failure);
}

task::Task<void> run_daemon(Daemon* daemon, const ReadConfig* read_again, std::promise<int>* result) {
  try {
    co_await serve_until_signalled(*daemon, *read_again);
    result->set_value(0);
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    result->set_value(1);
  }
}

debug::SignalDumpOptions signal_dump_options(const Config& config) {
  return {.directory = config.exec_root,
          .log_text = [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); },
          .log_line = [](std::string_view line) { spdlog::info("{}", line); }};
}

int run(const Config& config, const ReadConfig& read_again, UniqueFd dump_signal) {
  task::Runtime runtime;
  const std::size_t count = config.workers != 0
                                ? config.workers
                                : std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kWorkersMax);
  std::vector<task::Worker*> serving;
  for (std::size_t index = 0; index < count; ++index) {
    serving.push_back(&runtime.add_worker("worker-" + std::to_string(index)));
  }
  task::Worker& debug_worker = runtime.add_worker("debug");
  Daemon daemon(config, runtime, serving, debug_worker);
  runtime.start();

  task::Scope scope("daemon");
  scope.spawn_on(debug_worker, "debug: watch for leaks",
                 debug::watch_for_leaks(runtime, {.log = [](std::string_view leak) { spdlog::warn("{}", leak); }}));
  scope.spawn_on(debug_worker, "debug: watch workers",
                 debug::watch_workers(runtime, {.log = [](std::string_view text) { spdlog::warn("{}", text); }}));
  std::promise<int> result;
  auto finished = result.get_future();
  scope.spawn_on(debug_worker, "debug: dump on signal",
                 debug::dump_on_signal(runtime, std::move(dump_signal), signal_dump_options(config)));
  scope.spawn_on(*serving.front(), "daemon", run_daemon(&daemon, &read_again, &result));
  const int exit_code = finished.get();
  scope.cancel(task::CancelReason::kShutdown);
  while (scope.size() > 0) std::this_thread::yield();  // for the last instructions of both tasks
  runtime.stop();
  return exit_code;
}

}  // namespace
}  // namespace quoll::daemon

int main(int argc, char** argv) {
  using namespace quoll;
  // A few arenas instead of one a thread: memory that one thread freed serves the others.
  ::mallopt(M_ARENA_MAX, 2);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_DFL);  // nohup has it ignored, and what is ignored reaches no signalfd
  task::block_signals({SIGTERM, SIGINT, SIGHUP});
  try {
    UniqueFd dump_signal = debug::block_dump_signal();
    const auto read_config = [argc, argv] { return daemon::read_config(argc, argv); };
    const std::optional<daemon::Config> config = read_config();
    if (!config) return 0;
    daemon::set_up_logging(config->log_level);
    daemon::raise_descriptor_limit();
    debug::set_heap_sample_bytes(config->heap_sample_bytes);
    return daemon::run(*config, read_config, std::move(dump_signal));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "quolld: %s\n", error.what());
    return 1;
  }
}
