#include "mgr/exec/exec_process.hpp"

#include <nlohmann/json.hpp>

#include "mgr/container/spec_defaults.hpp"
#include "mgr/container/user_lookup.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

void set_variable(std::vector<std::string>& env, const std::string& entry) {
  const std::string_view key = std::string_view(entry).substr(0, entry.find('='));
  const auto is_same = [key](const std::string& other) {
    return std::string_view(other).substr(0, other.find('=')) == key;
  };
  std::erase_if(env, is_same);
  if (entry.find('=') != std::string::npos) env.push_back(entry);
}

bool has_variable(const std::vector<std::string>& env, std::string_view name) {
  return std::ranges::any_of(env, [name](const std::string& entry) { return entry.starts_with(name); });
}

void set_user(const ExecConfig& exec, json& process, std::vector<std::string>& env, const std::string& root) {
  if (exec.user.empty()) return;
  const ContainerUser user = lookup_user(root, exec.user, {});
  process["user"] = {{"uid", user.uid}, {"gid", user.gid}, {"additionalGids", user.additional_gids}};
  set_variable(env, "HOME=" + user.home);
}

// As for a container's first process: who is not root has nothing in force, and may gain it by a set-uid program.
void set_capabilities(const ExecConfig& exec, json& process, std::uint64_t all) {
  json& sets = process["capabilities"];
  const json bounding = exec.privileged ? json(capability_names(all)) : sets.value("bounding", json::array());
  sets = {{"bounding", bounding}};
  if (process["user"].value("uid", 0U) == 0) sets["effective"] = sets["permitted"] = bounding;
}

}  // namespace

json exec_process(const ExecConfig& exec, json process, const std::string& root, std::uint64_t capabilities) {
  auto env = process.value("env", std::vector<std::string>());
  set_user(exec, process, env, root);
  if (exec.tty && !has_variable(env, "TERM=")) env.emplace_back("TERM=xterm");
  for (const std::string& entry : exec.env) set_variable(env, entry);
  process["env"] = env;
  process["args"] = exec.command;
  process["terminal"] = exec.tty;
  if (!exec.working_dir.empty()) process["cwd"] = exec.working_dir;
  process.erase("consoleSize");
  const auto [rows, columns] = exec.console_size;
  if (exec.tty && rows > 0 && columns > 0) process["consoleSize"] = {{"height", rows}, {"width", columns}};
  set_capabilities(exec, process, capabilities);
  if (exec.privileged) process["noNewPrivileges"] = false;
  return process;
}

}  // namespace quoll::mgr
