// quoll: parse, run the command on one worker, return its exit code.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "cli/command_failure.hpp"
#include "cli/program.hpp"
#include "task/runtime.hpp"
#include "task/scope.hpp"
#include "task/signals.hpp"
#include "task/this_task.hpp"

namespace quoll::cli {
namespace {

std::string environment_value(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

task::Task<void> run_on_standard_streams(const Arguments& arguments, int* exit_code) {
  try {
    Output out(STDOUT_FILENO);
    Output error(STDERR_FILENO);
    EndingSignals signals;
    Context context{arguments.host, arguments.debug_host, out, error, signals};
    *exit_code = co_await run_program(context, arguments.command);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "quoll: %s\n", failure.what());
  }
  task::this_task::worker().stop();
}

int run(const Arguments& arguments) {
  task::Runtime runtime;
  task::Worker& worker = runtime.add_worker("quoll");
  task::Scope scope("quoll");
  int exit_code = 1;
  scope.spawn_on(worker, "quoll", run_on_standard_streams(arguments, &exit_code));
  worker.run();
  return exit_code;
}

}  // namespace
}  // namespace quoll::cli

int main(int argc, char** argv) {
  using namespace quoll::cli;
  quoll::task::block_signals({SIGINT, SIGTERM, SIGHUP, SIGWINCH});
  try {
    const Environment environment{environment_value("QUOLL_HOST"), environment_value("QUOLL_DEBUG_HOST")};
    const std::optional<Arguments> arguments = parse_arguments(argc, argv, environment);
    return arguments ? run(*arguments) : 0;
  } catch (const CommandFailure& failure) {
    std::fprintf(stderr, "quoll: %s\n", failure.what());
    return failure.exit_code();
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "quoll: %s\n", failure.what());
    return 1;
  }
}
