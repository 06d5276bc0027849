// System call filters, compiled once. Compiling the default profile for two architectures is the most expensive step of
// a container's start; crun leaves what it made of a profile in its state directory, and takes a compiled filter in an
// annotation in place of a profile (crun(1): run.oci.seccomp_bpf_data). So the first container with a profile pays for
// it.
#pragma once

#include <deque>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>

namespace quoll::mgr {

// Kept in memory alone, so that a new daemon asks the runtime that is installed then.
//
// Thread: any. Limits: kProfilesMax filters, the oldest are dropped.
class SeccompFilters {
 public:
  static constexpr std::size_t kProfilesMax = 16;

  // Adds the annotation to `spec` where the filter of its profile is known. Otherwise the profile as text, to hand to
  // learn() once the container is created; nothing where the spec has none.
  std::optional<std::string> annotate(nlohmann::json& spec) const;

  // Takes the filter that crun has compiled for a container with this profile. One that cannot be read is not learnt:
  // the next container compiles again.
  //
  // Blocks on a small file.
  void learn(std::string profile, const std::string& state_directory, const std::string& id);

 private:
  mutable std::mutex mutex_;
  std::deque<std::pair<std::string, std::string>> filters_;  // guarded by mutex_; profile, filter in base64
};

}  // namespace quoll::mgr
