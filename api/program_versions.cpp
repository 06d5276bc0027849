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

std::string commit_of(std::string_view version_text) {
  for (const std::string_view mark : {"commit: ", " - git.", " version "}) {
    if (const std::string_view word = word_behind(version_text, mark); !word.empty()) return std::string(word);
  }
  return "N/A";
}

task::Task<std::string> program_commit(std::string program) {
  if (program.empty()) co_return "N/A";
  task::CommandOptions options;
  options.time_limit = kTimeLimit;
  options.output_bytes_max = 4096;
  std::vector<std::string> argv{std::move(program), "--version"};
  try {
    const task::CommandResult result = co_await task::run_command(std::move(argv), std::move(options));
    co_return result.exit.success() ? commit_of(result.standard_output) : "N/A";
  } catch (const Error&) {
    co_return "N/A";
  }
}

}  // namespace quoll::api
