// PageColumns: tasks as columns of numbers that point into lists of names, stacks and requests, each there once. A
// hundred thousand tasks are a few megabytes so, which a browser reads in a moment.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "debug/summary.hpp"
#include "debug/walk.hpp"

namespace quoll::debug {

class PageColumns {
 public:
  explicit PageColumns(std::size_t tasks_max) : tasks_max_(tasks_max) {}

  // Tasks beyond the limit are counted and not kept.
  void add(const TaskSummary& task);
  std::string json(const WalkFacts& facts) const;

 private:
  // Texts numbered in the order in which they came.
  class Texts {
   public:
    std::int64_t number_of(std::string_view text);
    const std::vector<std::string>& all() const { return all_; }

   private:
    std::unordered_map<std::string, std::int64_t> numbers_;
    std::vector<std::string> all_;
  };
  struct Column {
    std::string_view name;
    std::string values;  // "1,2,3"
    void add(std::int64_t value);
  };
  enum { kId, kState, kWaitMs, kAgeMs, kParent, kName, kWorker, kStack, kRequest, kCancel };

  void note_ended(const TaskSummary& task);
  std::int64_t stack_of(const TaskSummary& task);
  std::int64_t request_of(const TaskSummary& task);

  const std::size_t tasks_max_;
  std::size_t kept_ = 0;
  std::map<std::string_view, std::size_t> counts_;  // by state
  // Tasks that have ended and whose descendants live: their parents and names.
  std::map<std::uint64_t, std::pair<std::uint64_t, std::string_view>> ended_;
  std::unordered_map<std::uint32_t, std::int64_t> place_numbers_;
  std::unordered_map<std::uint64_t, std::int64_t> request_numbers_;
  Texts states_, names_, workers_, cancels_;
  Texts places_, stacks_, requests_;  // JSON of each
  std::vector<Column> columns_ = {{"id", {}},   {"state", {}},  {"wait_ms", {}}, {"age_ms", {}},  {"parent", {}},
                                  {"name", {}}, {"worker", {}}, {"stack", {}},   {"request", {}}, {"cancel", {}}};
};

}  // namespace quoll::debug
