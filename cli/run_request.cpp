#include "cli/run_request.hpp"

#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/command_failure.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

// The daemon knows no working directory but its own: "./data:/data" becomes absolute here.
json binds_of(const RunOptions& options) {
  json binds = json::array();
  for (const std::string& bind : options.binds) {
    if (bind.find(':') == std::string::npos) {
      throw CommandFailure(kExitDaemonFailed, "run: -v " + bind + ": not SOURCE:TARGET[:ro]");
    }
    const std::string source = bind.substr(0, bind.find(':'));
    const bool relative = source == "." || source == ".." || source.starts_with("./") || source.starts_with("../");
    const std::string rest = bind.substr(source.size());
    binds.push_back(relative ? std::filesystem::absolute(source).lexically_normal().string() + rest : bind);
  }
  return binds;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

json environment_of(const std::vector<std::string>& entries) {
  json env = json::array();
  for (const std::string& entry : entries) {
    if (entry.find('=') != std::string::npos) {
      env.push_back(entry);
    } else if (const char* const value = std::getenv(entry.c_str())) {
      env.push_back(entry + "=" + value);
    }
  }
  return env;
}

json create_request(const RunOptions& options) {
  json host{{"Binds", binds_of(options)}, {"AutoRemove", options.remove && options.detach}};
  if (!options.network.empty()) host["NetworkMode"] = options.network;
  json request{
      {"Image", options.image},          {"Env", environment_of(options.env)}, {"Tty", options.tty},
      {"AttachStdout", !options.detach}, {"AttachStderr", !options.detach},    {"HostConfig", std::move(host)}};
  if (options.interactive) {
    // In the foreground it is ours, and its end is the end of what is typed here; else it stays open for who attaches.
    request["OpenStdin"] = true;
    request["StdinOnce"] = request["AttachStdin"] = !options.detach;
  }
  if (!options.command.empty()) request["Cmd"] = options.command;
  if (!options.working_directory.empty()) request["WorkingDir"] = options.working_directory;
  if (!options.user.empty()) request["User"] = options.user;
  return request;
}

int exit_code_of_start_failure(std::string_view message) {
  std::string text(message);
  for (char& byte : text) byte = static_cast<char>(std::tolower(static_cast<unsigned char>(byte)));
  const bool absent =
      (has(text, "executable file") && has(text, "not found")) || has(text, "no such file or directory");
  if (absent) return kExitNotFound;
  if (has(text, "permission denied") || has(text, "is a directory")) return kExitCannotRun;
  return kExitDaemonFailed;
}

}  // namespace quoll::cli
