// pull, push, login, logout
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/command_failure.hpp"
#include "cli/commands.hpp"
#include "cli/docker_config.hpp"
#include "cli/engine.hpp"
#include "cli/json_stream.hpp"
#include "cli/standard_stream.hpp"
#include "cli/table.hpp"
#include "http/uri.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kBufferBytes = 16 * 1024;
constexpr std::size_t kPasswordMax = 64 * 1024;

// Whether the name ends in a tag or a digest: a colon before the last slash belongs to a port.
bool has_tag(const std::string& image) {
  return image.find('@') != std::string::npos || image.find(':', image.rfind('/') + 1) != std::string::npos;
}

// A line for each state that a layer comes to, and none for the bytes in between. A failure in the middle comes as a
// last object, since the answer's head has gone out by then.
task::Task<void> print_transfer(Context& context, std::map<std::string, std::string>& states,
                                const std::string& object) {
  const json line = json::parse(object, nullptr, false);
  if (!line.is_object()) throw Error(ErrorClass::kUnavailable, "the daemon's answer is not JSON");
  if (line.contains("error")) throw Error(ErrorClass::kInternal, line.value("error", "the transfer failed"));
  const std::string status = line.value("status", "");
  const std::string id = line.value("id", "");
  if (status.empty() || (!id.empty() && std::exchange(states[id], status) == status)) co_return;
  const std::string text = printable(id.empty() ? status : id + ": " + status) + "\n";
  co_await context.out.write(text);
}

task::Task<int> transfer(Context& context, std::string target, std::string image) {
  http::ClientRequest request{.method = "POST", .target = std::move(target)};
  std::string credentials =
      co_await task::blocking([&] { return DockerConfig::of_this_user().auth_header(server_of_image(image)); });
  if (!credentials.empty()) request.headers.emplace_back("X-Registry-Auth", std::move(credentials));
  Engine engine(context.host);
  http::ClientResponse response = co_await engine.open(std::move(request));
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  JsonStream objects;
  std::map<std::string, std::string> states;
  while (const std::size_t count = co_await response.read_body({buffer.get(), kBufferBytes})) {
    objects.feed({buffer.get(), count});
    while (const auto object = objects.next()) co_await print_transfer(context, states, *object);
  }
  co_return 0;
}

// Without the end of its last line.
task::Task<std::string> read_password() {
  UniqueFd descriptor(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  if (!descriptor) throw system_error(errno, "standard input");
  Input input(std::move(descriptor));
  std::string text;
  std::string piece(kBufferBytes, '\0');
  while (const std::size_t count = co_await input.read(piece)) {
    text.append(piece, 0, count);
    if (text.size() > kPasswordMax) throw CommandFailure(1, "login: the password is too long");
  }
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  if (text.empty()) throw CommandFailure(1, "login: standard input has no password");
  co_return text;
}

}  // namespace

task::Task<int> execute(Context& context, const PullOptions& options) {
  const std::string query = query_string(
      {{"fromImage", options.image}, {"tag", has_tag(options.image) ? "" : "latest"}, {"platform", options.platform}});
  return transfer(context, "/images/create" + query, options.image);
}

task::Task<int> execute(Context& context, const PushOptions& options) {
  const std::size_t colon = options.image.find(':', options.image.rfind('/') + 1);
  const std::string tag = colon == std::string::npos ? "latest" : options.image.substr(colon + 1);
  std::string target =
      "/images/" + http::percent_encode(options.image.substr(0, colon), true) + "/push" + query_string({{"tag", tag}});
  return transfer(context, std::move(target), options.image);
}

task::Task<int> execute(Context& context, const LoginOptions& options) {
  const std::string password = co_await read_password();
  Engine engine(context.host);
  const json answer = co_await engine.post(
      "/auth", {{"username", options.user}, {"password", password}, {"serveraddress", auth_key(options.server)}});
  co_await task::blocking([&] { DockerConfig::of_this_user().keep(options.server, options.user, password); });
  const std::string text = printable(answer.value("Status", "Login Succeeded")) + "\n";
  co_await context.out.write(text);
  co_return 0;
}

task::Task<int> execute(Context& context, const LogoutOptions& options) {
  const bool known = co_await task::blocking([&] { return DockerConfig::of_this_user().forget(options.server); });
  const std::string key = printable(auth_key(options.server));
  const std::string text = known ? "Removing login credentials for " + key + "\n" : "Not logged in to " + key + "\n";
  co_await context.out.write(text);
  co_return 0;
}

}  // namespace quoll::cli
