// The `process` object of the runtime configuration.
#include <nlohmann/json.hpp>

#include "mgr/container/spec.hpp"
#include "mgr/container/spec_defaults.hpp"
#include "mgr/letter_case.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

std::string_view key_of(std::string_view entry) { return entry.substr(0, entry.find('=')); }

bool has_key(const std::vector<std::string>& env, std::string_view key) {
  return std::any_of(env.begin(), env.end(), [&](const std::string& entry) { return key_of(entry) == key; });
}

// The daemon's own entries first, then the container's, which win. An entry without "=" takes a variable away.
std::vector<std::string> environment(const ContainerConfig& config, const SpecInput& input) {
  std::vector<std::string> env = {"PATH=" + std::string(kDefaultPath), "HOSTNAME=" + input.hostname};
  if (config.tty) env.emplace_back("TERM=xterm");
  bool home_removed = false;
  for (const std::string& entry : config.env) {
    const auto is_same = [&](const std::string& other) { return key_of(other) == key_of(entry); };
    const auto own = std::find_if(env.begin(), env.end(), is_same);
    if (entry.find('=') == std::string::npos) {
      if (own != env.end()) env.erase(own);
      home_removed = home_removed || entry == "HOME";
    } else if (own != env.end()) {
      *own = entry;
    } else {
      env.push_back(entry);
    }
  }
  if (!has_key(env, "HOME") && !home_removed) env.push_back("HOME=" + input.user.home);
  return env;
}

// A process that is not root has nothing in its effective set, as after any execve; it may still gain by a set-uid
// program.
json capability_sets(uint64_t capabilities, uint32_t uid) {
  const json names = capability_names(capabilities);
  json sets = {{"bounding", names}};
  if (uid == 0) {
    sets["effective"] = names;
    sets["permitted"] = names;
  }
  return sets;
}

uint64_t limit_value(int64_t asked) { return asked < 0 ? UINT64_MAX : static_cast<uint64_t>(asked); }

json rlimits(const HostConfig& host, const HostFacts& facts, std::vector<std::string>& warnings) {
  json list = json::array();
  for (const UlimitConfig& asked : host.ulimits) {
    uint64_t soft = limit_value(asked.soft), hard = limit_value(asked.hard);
    const auto own = facts.hard_limits.find(asked.name);
    if (!facts.can_raise_limits && own != facts.hard_limits.end() && hard > own->second) {
      hard = own->second;
      soft = std::min(soft, hard);
      warnings.push_back("limit " + asked.name + " is not this daemon's to raise: it was lowered to " +
                         std::to_string(hard));
    }
    list.push_back({{"type", upper("RLIMIT_" + asked.name)}, {"soft", soft}, {"hard", hard}});
  }
  return list;
}

}  // namespace

bool runs_init(const HostConfig& host) { return host.init.value_or(false) && host.pid_mode.empty(); }

json spec_process(const ContainerConfig& config, const SpecInput& input, const HostFacts& facts, uint64_t capabilities,
                  std::vector<std::string>& warnings) {
  std::vector<std::string> args = config.entrypoint.value_or(std::vector<std::string>());
  args.insert(args.end(), config.cmd.begin(), config.cmd.end());
  if (runs_init(config.host)) {
    if (input.init.empty()) {
      throw Error(ErrorClass::kFailedPrecondition,
                  "HostConfig.Init: neither docker-init nor tini-static nor catatonit is installed on this host");
    }
    args.insert(args.begin(), {kInitInContainer, "--"});
  }
  json process = {
      {"terminal", config.tty},
      {"args", args},
      {"env", environment(config, input)},
      {"cwd", config.working_dir.empty() ? "/" : config.working_dir},
      {"user", {{"uid", input.user.uid}, {"gid", input.user.gid}, {"additionalGids", input.user.additional_gids}}},
      {"capabilities", capability_sets(capabilities, input.user.uid)},
      {"noNewPrivileges", config.host.no_new_privileges},
  };
  if (!config.host.apparmor.empty()) {
    if (!facts.has_apparmor) throw Error(ErrorClass::kInvalidArgument, "AppArmor is not enabled on this host");
    process["apparmorProfile"] = config.host.apparmor;
  }
  const auto [height, width] = config.host.console_size;
  if (config.tty && height > 0 && width > 0) process["consoleSize"] = {{"height", height}, {"width", width}};
  if (json limits = rlimits(config.host, facts, warnings); !limits.empty()) process["rlimits"] = std::move(limits);
  const int oom_score_adj = config.host.oom_score_adj;
  if (oom_score_adj >= facts.oom_score_adj || facts.can_raise_limits) {
    process["oomScoreAdj"] = oom_score_adj;
  } else if (oom_score_adj != 0) {
    warnings.emplace_back("the OOM score is not this daemon's to lower: it was left out");
  }
  return process;
}

}  // namespace quoll::mgr
