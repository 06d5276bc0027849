// The images of steps: made, or found where an earlier build has made them.
#include "mgr/build/build_run.hpp"
#include "mgr/build/build_text.hpp"
#include "mgr/container/container_state.hpp"
#include "mgr/image/image_draft.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

// Docker's name in an image's configuration for the settings of the container that a step's image was made from.
constexpr const char* kMadeBy = "container_config";

}  // namespace

std::vector<std::string> BuildRun::shell_words() const {
  const json& config = stages_.back().config;
  const auto shell = config.find("Shell");
  if (shell != config.end() && shell->is_array() && !shell->empty()) return shell->get<std::vector<std::string>>();
  return {"/bin/sh", "-c"};
}

std::string BuildRun::comment_text(const std::string& comment) const {
  return joined(shell_words()) + " #(nop)  " + comment;
}

json BuildRun::made_by(std::vector<std::string> command) const {
  json key = stages_.back().config;
  key["Cmd"] = std::move(command);
  return key;
}

json BuildRun::made_by_comment(const std::string& comment) const {
  std::vector<std::string> command = shell_words();
  command.insert(command.end(), {"#(nop) ", comment});
  return made_by(std::move(command));
}

task::Task<bool> BuildRun::use_cached(const json& made_by) {
  if (request_.no_cache) co_return false;
  Stage& stage = stages_.back();
  const std::optional<Image> found = co_await task::blocking([&] {
    return hold_.take_built(stage.image_id, [&](const Image& image) {
      const auto key = image.config.find(kMadeBy);
      return key != image.config.end() && *key == made_by && image.os == json_string(stage.platform, "os") &&
             image.architecture == json_string(stage.platform, "architecture") &&
             image.variant == json_string(stage.platform, "variant");
    });
  });
  if (found) {
    stage.image_id = found->id;
  } else if (cache_sources_.empty() ||
             !co_await task::blocking([&](const std::stop_token& stop) { return restore_step(made_by, stop); })) {
    co_return false;
  }
  co_await say(" ---> Using cache\n");
  co_return true;
}

void BuildRun::add_image(const std::string& created_by, const json& made_by, ByteSource layer,
                         const std::stop_token& stop) {
  json history{{"created", rfc3339_nano(wall_now_ns())}, {"created_by", created_by}};
  if (const std::string& author = stages_.back().author; !author.empty()) history["author"] = author;
  add_image_with_history(std::move(history), made_by, std::move(layer), stop);
}

void BuildRun::add_image_with_history(json history, const json& made_by, ByteSource layer,
                                      const std::stop_token& stop) {
  Stage& stage = stages_.back();
  ImageDraft draft;
  draft.parent_id = stage.image_id;
  draft.config = stage.platform;
  draft.config["created"] = json_string(history, "created");
  draft.config["config"] = stage.config;
  draft.config[kMadeBy] = made_by;
  if (!stage.author.empty()) draft.config["author"] = stage.author;
  draft.history = std::move(history);
  draft.build = BuildRole::kStep;
  draft.hold = &hold_;
  stage.image_id = create_image(means_.images, std::move(draft), std::move(layer), stop).id;
}

task::Task<void> BuildRun::commit_settings(const std::string& comment) {
  const json key = made_by_comment(comment);
  if (co_await use_cached(key)) co_return;
  co_await task::blocking(
      [&](const std::stop_token& stop) { add_image(comment_text(comment), key, ByteSource(), stop); });
}

}  // namespace quoll::mgr
