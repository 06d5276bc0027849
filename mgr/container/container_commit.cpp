#include "mgr/container/container_commit.hpp"

#include <fcntl.h>

#include <chrono>

#include "mgr/container/container_manager.hpp"
#include "mgr/files/tree_archive.hpp"
#include "mgr/image/config_changes.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

constexpr auto kPauseMax = std::chrono::minutes(1);

bool is_set(const json& config, const char* key) {
  const auto value = config.find(key);
  return value != config.end() && !value->is_null() &&
         !(value->is_string() && value->get_ref<const std::string&>().empty()) &&
         !(value->is_structured() && value->empty());
}

// The list of settings NAME=value, with those of `base` that `list` does not name.
void merge_env(json& list, const json& base) {
  for (const json& setting : base) {
    const std::string text = setting.get<std::string>();
    const std::string key = text.substr(0, text.find('=') + 1);
    const bool named = std::ranges::any_of(
        list, [&](const json& own) { return own.is_string() && own.get_ref<const std::string&>().starts_with(key); });
    if (!named) list.push_back(setting);
  }
}

// What `settings` leaves open, from the container, by Docker's rules.
void merge_settings(json& settings, const json& container) {
  const bool own_command = is_set(settings, "Entrypoint") || is_set(settings, "Cmd");
  for (const auto& [key, value] : container.items()) {
    const bool is_command = key == "Cmd" || key == "Entrypoint";
    if (key == "Env" && is_set(settings, "Env")) {
      merge_env(settings["Env"], value);
    } else if (value.is_object() && settings.contains(key) && settings[key].is_object() && key != "Healthcheck") {
      for (const auto& [name, inner] : value.items()) settings[key].emplace(name, inner);
    } else if (!is_set(settings, key.c_str()) && !(is_command && own_command)) {
      settings[key] = value;
    }
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

ImageDraft draft_of(const Image& parent, const ContainerConfig& config, const CommitRequest& request) {
  const std::string now = rfc3339_nano(wall_now_ns());
  ImageDraft draft;
  draft.parent_id = parent.id;
  draft.config = {{"created", now},
                  {"architecture", parent.architecture},
                  {"os", parent.os},
                  {"config", committed_settings(config, request)}};
  if (!parent.variant.empty()) draft.config["variant"] = parent.variant;
  draft.history = {{"created", now}, {"created_by", joined(config.cmd)}};
  if (!request.author.empty()) draft.config["author"] = draft.history["author"] = request.author;
  if (!request.comment.empty()) draft.config["comment"] = draft.history["comment"] = request.comment;
  if (request.reference) draft.references.push_back(*request.reference);
  return draft;
}

}  // namespace

json image_settings(const json& config) {
  json settings = json::object();
  for (const char* key : {"User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels",
                          "StopSignal", "Healthcheck", "OnBuild", "Shell"}) {
    if (is_set(config, key)) settings[key] = config.at(key);
  }
  return settings;
}

json committed_settings(const ContainerConfig& config, const CommitRequest& request) {
  const json container = image_settings(config_inspect_json(config));
  json settings = request.config.is_object() ? image_settings(request.config) : container;
  for (const std::string& change : request.changes) apply_change(settings, change);
  merge_settings(settings, container);
  return settings;
}

Image ContainerManager::commit_changes(const Container& container, const CommitRequest& request,
                                       const std::stop_token& stop) const {
  const Image parent = images_.image_of(container.image_id());
  ImageDraft draft = draft_of(parent, *container.config(), request);
  const std::string upper = container.paths().directory + "/upper";
  UniqueFd top = open_file(upper, O_PATH | O_DIRECTORY);
  return create_image(images_, std::move(draft), tree_source(std::move(top), {.layer = true}, stop), stop);
}

task::Task<Image> ContainerManager::commit(std::shared_ptr<Container> container, CommitRequest request) {
  task::Mutex::Guard guard;
  const bool pauses = request.pause && can_pause(container->state().status);
  if (pauses) {
    co_await task::shielded(kPauseMax, pause(container));
  } else if (!is_running(container->state().status)) {
    guard = co_await container->lock_lifecycle();
  }
  std::optional<Image> image;
  std::exception_ptr failure;
  try {
    image =
        co_await task::blocking([&](const std::stop_token& stop) { return commit_changes(*container, request, stop); });
  } catch (...) {
    failure = std::current_exception();
  }
  if (pauses) co_await task::shielded(kPauseMax, resume_if_paused(container));
  if (failure) std::rethrow_exception(failure);
  if (request.reference) images_.publish("tag", request.reference->familiar());
  publish(*container, "commit",
          {{"comment", request.comment},
           {"imageID", image->id},
           {"imageRef", request.reference ? request.reference->canonical() : ""}});
  co_return std::move(*image);
}

// Somebody may have unpaused, killed or removed it meanwhile.
task::Task<void> ContainerManager::resume_if_paused(std::shared_ptr<Container> container) {
  try {
    co_await unpause(std::move(container));
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kConflict) throw;
  }
}

}  // namespace quoll::mgr
