// The CPU profile: 100 times in each second of processor time that a thread uses, it is interrupted and notes where it
// is and which task it runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "debug/profile.hpp"
#include "debug/value_profile.hpp"

namespace quoll::debug {

inline constexpr int kCpuSamplesPerSecond = 100;

const ProfileKind& cpu_kind();

// From its construction to its destruction all threads of the process are sampled, also those that come meanwhile. Each
// has a timer of its own on its own processor time: a thread that sleeps is not woken, and one that is busy is not
// sampled for another's time. Out of profiling it costs nothing.
//
// Thread: any one at a time. collect() is to be called every kCollectInterval: what a handler finds no room for is
//         counted as lost.
// Errors: the constructor throws Error{kInternal} "cpu profiling already in use" where another one lives: a process has
//         one SIGPROF.
class CpuProfiler {
 public:
  static constexpr std::chrono::milliseconds kCollectInterval{100};

  CpuProfiler();
  ~CpuProfiler();
  CpuProfiler(const CpuProfiler&) = delete;
  CpuProfiler& operator=(const CpuProfiler&) = delete;

  void collect();
  // Ends the sampling. May be called again.
  void stop();
  // What has been collected, with names. REQUIRES: stopped. Takes some milliseconds: see symbolize_native().
  ValueProfile profile() const;
  std::uint64_t lost() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quoll::debug
