#include "mgr/container/process_list.hpp"

#include <algorithm>
#include <sstream>

#include "mgr/runtime/cgroup.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"
#include "task/process.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kOutputBytesMax = 16 * 1024 * 1024;

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(std::move(word));
  return words;
}

}  // namespace

ProcessList parse_ps(const std::string& output, const std::vector<int>& pids) {
  ProcessList list;
  std::istringstream lines(output);
  std::string line;
  std::getline(lines, line);
  list.titles = words_of(line);
  const auto column = static_cast<std::size_t>(std::ranges::find(list.titles, "PID") - list.titles.begin());
  if (column == list.titles.size()) {
    throw Error(ErrorClass::kInvalidArgument, "Couldn't find PID field in ps output");
  }
  while (std::getline(lines, line)) {
    std::vector<std::string> cells = words_of(line);
    if (cells.size() <= column) continue;
    const int pid = std::atoi(cells[column].c_str());
    if (!std::ranges::binary_search(pids, pid)) continue;
    // The last column is a command, with spaces of its own.
    for (std::size_t index = list.titles.size(); index < cells.size(); ++index) {
      cells[list.titles.size() - 1] += " " + cells[index];
    }
    cells.resize(std::min(cells.size(), list.titles.size()));
    list.processes.push_back(std::move(cells));
  }
  return list;
}

task::Task<ProcessList> list_processes(const Container& container, std::string ps_args) {
  if (!can_kill(container.state().status)) {
    throw Error(ErrorClass::kConflict, "container " + container.id() + " is not running");
  }
  std::vector<std::string> argv = words_of(ps_args);
  argv.insert(argv.begin(), "ps");
  task::CommandOptions options;
  options.output_bytes_max = kOutputBytesMax;
  const task::CommandResult result = co_await task::run_command(std::move(argv), std::move(options));
  if (!result.exit.success()) {
    throw Error(ErrorClass::kInvalidArgument,
                "error running ps: " + result.standard_error.substr(0, result.standard_error.find('\n')));
  }
  const std::vector<int> pids = co_await task::blocking([&] { return read_processes(container.paths().cgroup); });
  co_return parse_ps(result.standard_output, pids);
}

}  // namespace quoll::mgr
