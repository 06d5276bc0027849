// RUN: a step in a container of its own.
#include <spdlog/spdlog.h>

#include <chrono>

#include "mgr/attach/attach_stream.hpp"
#include "mgr/build/build_files.hpp"
#include "mgr/build/build_run.hpp"
#include "mgr/build/build_text.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/short_id.hpp"
#include "monitor/attach_protocol.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

// Creation, start and removal run to their end whatever the client does, as on their own routes.
constexpr auto kLifecycleMax = std::chrono::minutes(5);
constexpr std::size_t kOutputBytes = 32 * 1024;

// How many bytes at the end begin a character whose rest is still to come.
std::size_t unfinished(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

// The settings NAME=value of build arguments that the image's own settings leave open.
std::vector<std::string> argument_settings(const std::map<std::string, std::string>& environment,
                                           const std::map<std::string, std::string>& arguments) {
  std::vector<std::string> settings;
  for (const auto& [name, value] : arguments) {
    if (!environment.contains(name)) settings.push_back(name + "=" + value);
  }
  return settings;
}

}  // namespace

task::Task<void> BuildRun::command(const Instruction& instruction) {
  const Stage& stage = stages_.back();
  std::vector<std::string> words = shell_words();
  words.push_back(instruction.arguments);
  if (instruction.list) words = *instruction.list;
  const std::vector<std::string> settings = argument_settings(stage.environment, arguments_.values());
  std::vector<std::string> told;  // the arguments that count, and the command
  for (const std::string& setting : settings) {
    if (arguments_.counts_for_cache(setting.substr(0, setting.find('=')))) told.push_back(setting);
  }
  if (!told.empty()) told.insert(told.begin(), "|" + std::to_string(told.size()));
  told.insert(told.end(), words.begin(), words.end());
  json key = made_by(told);
  if (co_await use_cached(key)) co_return;
  if (stage.image_id.empty()) {
    throw Error(ErrorClass::kInvalidArgument, "RUN: there is no program yet in a stage that begins on scratch");
  }
  ContainerConfig config;
  config.image = stage.image_id;
  config.cmd = words;
  config.entrypoint.emplace();
  config.env = settings;
  config.healthcheck = HealthConfig{.test = {"NONE"}};
  config.host = request_.host;
  config.build_step = true;
  const CreatedContainer created =
      co_await task::shielded(kLifecycleMax, means_.containers.create("", std::move(config)));
  const auto container = means_.containers.find(created.id);
  bool keep = request_.keep_containers;
  std::exception_ptr failure;
  try {
    co_await say(" ---> Running in " + short_id(created.id) + "\n");
    const int code = co_await run_container(container);
    if (code != 0) {
      throw StepFailure(code, "The command '" + joined(words) + "' returned a non-zero code: " + std::to_string(code));
    }
    co_await commit_container(container, joined(told), std::move(key));
  } catch (const StepFailure&) {
    failure = std::current_exception();
    keep = !request_.remove_failed;
  } catch (...) {
    failure = std::current_exception();
    keep = false;
  }
  co_await task::shielded(kLifecycleMax, drop_container(container, keep));
  if (!keep) co_await say(" ---> Removed intermediate container " + short_id(created.id) + "\n");
  if (failure) std::rethrow_exception(failure);
}

// Returns the exit code.
task::Task<int> BuildRun::run_container(std::shared_ptr<Container> container) {
  Container::Waiter waiter = container->wait(WaitCondition::kNextExit);
  Container::PendingAttach pending =
      container->attach(monitor::kAttachStdout | monitor::kAttachStderr | monitor::kAttachRaw);
  co_await task::shielded(kLifecycleMax, means_.containers.start(container));
  UniqueFd socket = co_await pending.socket();
  if (socket) {
    AttachStream output(std::move(socket), means_.attached);
    co_await copy_output(output);
  }
  co_return (co_await waiter.result()).exit_code;
}

task::Task<void> BuildRun::copy_output(AttachStream& output) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(kOutputBytes);
  std::string text;
  while (const std::size_t count = co_await output.read_some({buffer.get(), kOutputBytes})) {
    text.append(buffer.get(), count);
    const std::size_t rest = unfinished(text);
    std::string later = text.substr(text.size() - rest);
    text.resize(text.size() - rest);
    if (!text.empty()) co_await say(std::move(text));
    text = std::move(later);
  }
  if (!text.empty()) co_await say(std::move(text));
}

task::Task<void> BuildRun::commit_container(std::shared_ptr<Container> container, std::string created_by,
                                            json made_by) {
  const auto guard = co_await container->lock_lifecycle();
  co_await container->cleaned_up().wait();
  co_await task::blocking([&](const std::stop_token& stop) {
    add_image(created_by, made_by, layer_of_directory(container->paths().directory + "/upper", stop), stop);
  });
}

task::Task<void> BuildRun::drop_container(std::shared_ptr<Container> container, bool keep) {
  try {
    if (keep) co_return co_await means_.containers.keep_build_step(container);
    co_await means_.containers.remove(container, {.force = true, .anonymous_volumes = true});
  } catch (const Error& error) {
    // A user has removed it meanwhile; or else the next daemon's start does.
    if (!container->removed()) spdlog::error("container {} of a build: {}", container->id(), error.message());
  }
}

}  // namespace quoll::mgr
