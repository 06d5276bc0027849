#include "cli/program.hpp"

#include "cli/command_failure.hpp"
#include "task/combine.hpp"

namespace quoll::cli {
namespace {

// Standard error may be closed too: there is nobody left to tell.
task::Task<void> tell(Context& context, std::string message) {
  message = "quoll: " + message + "\n";
  try {
    co_await context.error.write(message);
  } catch (const OutputClosed&) {
  }
}

task::Task<int> until_signal(Context& context) {
  const int signal = co_await context.signals.next();
  co_return exit_code_of_signal(signal);
}

// A follower of a silent container would not learn it from a write for a long time.
task::Task<int> until_reader_gone(Context& context) {
  co_await context.out.reader_gone();
  co_return kExitOutputClosed;
}

bool only_reads(const Command& command) {
  return std::holds_alternative<LogsOptions>(command) || std::holds_alternative<StackOptions>(command) ||
         std::holds_alternative<TopOptions>(command);
}

task::Task<int> dispatch(Context& context, const Command& command) {
  return std::visit(
      [&context](const auto& options) -> task::Task<int> {
        if constexpr (std::is_same_v<std::decay_t<decltype(options)>, std::monostate>) {
          throw CommandFailure(1, "no command given");
        } else {
          return execute(context, options);
        }
      },
      command);
}

}  // namespace

task::Task<int> report_failure(Context& context, task::Task<int> work) {
  int exit_code = 1;
  std::string message;
  try {
    co_return co_await std::move(work);
  } catch (const OutputClosed&) {
    co_return kExitOutputClosed;
  } catch (const CommandFailure& failure) {
    exit_code = failure.exit_code();
    message = failure.what();
  } catch (const std::exception& failure) {
    message = failure.what();
  }
  co_await tell(context, std::move(message));
  co_return exit_code;
}

task::Task<int> run_program(Context& context, const Command& command) {
  task::Task<int> work = report_failure(context, dispatch(context, command));
  if (std::holds_alternative<RunOptions>(command)) co_return co_await std::move(work);
  std::vector<task::Task<int>> race;
  race.push_back(std::move(work));
  race.push_back(until_signal(context));
  if (only_reads(command)) race.push_back(until_reader_gone(context));
  const task::First<int> first = co_await task::first_of(std::move(race));
  co_return first.value;
}

}  // namespace quoll::cli
