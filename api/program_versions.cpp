#include "api/program_versions.hpp"

#include <chrono>

#include "task/error.hpp"
#include "task/process.hpp"

namespace quoll::api {
namespace {

constexpr std::chrono::seconds kTimeLimit{2};

// The word behind the first `mark`; empty where there is none.
std::string_view word_behind(std::string_view text, std::string_view mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + mark.size());
  return rest.substr(0, rest.find_first_of(" \t\r\n"));
}

}  // namespace

std::optional<ProgramVersion> parse_program_version(std::string_view text) {
  ProgramVersion program;
  program.version = word_behind(text, " version ");
  for (const std::string_view mark : {"commit: ", " - git."}) {
    if (program.commit.empty()) program.commit = word_behind(text, mark);
  }
  if (program == ProgramVersion{}) return std::nullopt;
  return program;
}

task::Task<std::optional<ProgramVersion>> program_version(std::string program) {
  if (program.empty()) co_return std::nullopt;
  task::CommandOptions options;
  options.time_limit = kTimeLimit;
  options.output_bytes_max = 4096;
  std::vector<std::string> argv{std::move(program), "--version"};
  try {
    const task::CommandResult result = co_await task::run_command(std::move(argv), std::move(options));
    if (!result.exit.success()) co_return std::nullopt;
    co_return parse_program_version(result.standard_output);
  } catch (const Error&) {
    co_return std::nullopt;
  }
}

std::string commit_of(const std::optional<ProgramVersion>& program) {
  if (!program) return "N/A";
  return program->commit.empty() ? program->version : program->commit;
}

}  // namespace quoll::api
