#include "mgr/runtime/seccomp_filters.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "http/base64.hpp"
#include "mgr/image/durable_file.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kFilterBytesMax = 64 * 1024;
constexpr std::size_t kInstructionBytes = 8;  // struct sock_filter

}  // namespace

std::optional<std::string> SeccompFilters::annotate(nlohmann::json& spec) const {
  const auto section = spec["linux"].find("seccomp");
  if (section == spec["linux"].end()) return std::nullopt;
  std::string profile = section->dump();
  std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(filters_, profile, &std::pair<std::string, std::string>::first);
  if (known == filters_.end()) return profile;
  spec["annotations"]["run.oci.seccomp_bpf_data"] = known->second;
  return std::nullopt;
}

void SeccompFilters::learn(std::string profile, const std::string& state_directory, const std::string& id) {
  std::string filter;
  try {
    filter = read_file(state_directory + "/" + id + "/seccomp.bpf", kFilterBytesMax);
  } catch (const Error& error) {
    spdlog::debug("container {}: no compiled filter: {}", id, error.message());
  }
  if (filter.empty() || filter.size() % kInstructionBytes != 0) return;
  std::string text = http::to_base64(filter);
  std::lock_guard lock(mutex_);
  if (std::ranges::find(filters_, profile, &std::pair<std::string, std::string>::first) != filters_.end()) return;
  if (filters_.size() >= kProfilesMax) filters_.pop_front();
  filters_.emplace_back(std::move(profile), std::move(text));
}

}  // namespace quoll::mgr
