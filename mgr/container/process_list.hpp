// The processes of a container, as the host's ps shows them.
#pragma once

#include <string>
#include <vector>

#include "mgr/container/container.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

struct ProcessList {
  std::vector<std::string> titles;
  std::vector<std::vector<std::string>> processes;  // a cell for each title
};

// `ps_args`: options of ps, such as "-ef" or "aux"; its output must have a column PID.
//
// Cancel: ps is killed.
// Errors: kConflict where the container does not run; kInvalidArgument in Docker's words for options without a column
//         PID, kInternal with the words of ps.
task::Task<ProcessList> list_processes(const Container& container, std::string ps_args);

// What ps has printed, cut down to `pids`. Errors: kInvalidArgument.
ProcessList parse_ps(const std::string& output, const std::vector<int>& pids);

}  // namespace quoll::mgr
