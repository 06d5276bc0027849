// version, info
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/engine.hpp"
#include "cli/human.hpp"
#include "cli/table.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

void add_line(std::string& text, const char* name, const std::string& value) {
  text.append(name).append(": ").append(printable(value)).append("\n");
}

std::string text_of(const json& answer, const char* key) {
  const auto found = answer.find(key);
  if (found == answer.end() || found->is_null()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string info_text(const json& info) {
  std::string text;
  for (const auto& [name, key] : {std::pair{"Name", "Name"},
                                  {"Server Version", "ServerVersion"},
                                  {"Containers", "Containers"},
                                  {" Running", "ContainersRunning"},
                                  {" Paused", "ContainersPaused"},
                                  {" Stopped", "ContainersStopped"},
                                  {"Images", "Images"},
                                  {"Storage Driver", "Driver"},
                                  {"Logging Driver", "LoggingDriver"},
                                  {"Cgroup Version", "CgroupVersion"},
                                  {"Runtime", "DefaultRuntime"},
                                  {"Root Dir", "DockerRootDir"},
                                  {"Live Restore", "LiveRestoreEnabled"},
                                  {"Kernel Version", "KernelVersion"},
                                  {"Operating System", "OperatingSystem"},
                                  {"Architecture", "Architecture"},
                                  {"CPUs", "NCPU"}}) {
    add_line(text, name, text_of(info, key));
  }
  add_line(text, "Memory", human_size(info.value("MemTotal", std::uint64_t{0})));
  add_line(text, "Tasks", text_of(info, "NGoroutines"));
  add_line(text, "Descriptors", text_of(info, "NFd"));
  add_line(text, "ID", text_of(info, "ID"));
  return text;
}

}  // namespace

task::Task<int> execute(Context& context, const VersionOptions&) {
  // First, so that it is said also where the daemon cannot be reached.
  co_await context.out.write("Client: quoll " QUOLL_VERSION "\n");
  Engine engine(context.host);
  const json version = co_await engine.get("/version");
  const std::string platform = version.contains("Platform") ? text_of(version["Platform"], "Name") : "";
  std::string text = "Server: " + printable(platform) + " " + printable(text_of(version, "Version")) + "\n";
  add_line(text, " API version",
           text_of(version, "ApiVersion") + " (minimum " + text_of(version, "MinAPIVersion") + ")");
  add_line(text, " OS/Arch", text_of(version, "Os") + "/" + text_of(version, "Arch"));
  add_line(text, " Kernel", text_of(version, "KernelVersion"));
  co_await context.out.write(text);
  co_return 0;
}

task::Task<int> execute(Context& context, const InfoOptions&) {
  Engine engine(context.host);
  const json info = co_await engine.get("/info");
  const std::string text = info_text(info);
  co_await context.out.write(text);
  // They begin with "WARNING: ", as Docker's do.
  std::string warnings;
  if (info.contains("Warnings") && info["Warnings"].is_array()) {
    for (const json& warning : info["Warnings"]) warnings += printable(warning.get<std::string>()) + "\n";
  }
  co_await context.error.write(warnings);
  co_return 0;
}

}  // namespace quoll::cli
