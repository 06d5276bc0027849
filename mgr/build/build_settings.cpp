// Instructions that change an image's settings.
#include <algorithm>

#include "mgr/build/build_files.hpp"
#include "mgr/build/build_run.hpp"
#include "mgr/build/build_text.hpp"
#include "mgr/container/container_signal.hpp"
#include "mgr/image/config_changes.hpp"
#include "task/blocking.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::size_t kVariableBytesMax = 16 * 1024 * 1024;  // of one build

[[noreturn]] void refuse(std::string message) { throw Error(ErrorClass::kInvalidArgument, std::move(message)); }

std::vector<std::string> words_at(const json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && found->is_array() ? found->get<std::vector<std::string>>()
                                                    : std::vector<std::string>();
}

}  // namespace

void BuildRun::index_environment() {
  Stage& stage = stages_.back();
  stage.environment.clear();
  for (const json& each : stage.config["Env"]) {
    if (!each.is_string()) continue;
    const auto& setting = each.get_ref<const std::string&>();
    const auto equals = setting.find('=');
    if (equals != setting.npos) stage.environment.emplace(setting.substr(0, equals), setting.substr(equals + 1));
  }
}

VariableLookup BuildRun::variables() const {
  return [this](const std::string& name) {
    const auto& environment = stages_.back().environment;
    const auto found = environment.find(name);
    return counted(found == environment.end() ? arguments_.value(name) : found->second);
  };
}

VariableLookup BuildRun::global_variables() const {
  return [this](const std::string& name) { return counted(arguments_.global(name)); };
}

// A few lines like ARG a=$a$a would come to more than the memory holds.
std::optional<std::string> BuildRun::counted(std::optional<std::string> value) const {
  variable_bytes_ += value ? value->size() : 0;
  if (variable_bytes_ > kVariableBytesMax) {
    refuse("variables stand for more than " + std::to_string(kVariableBytesMax) + " bytes");
  }
  return value;
}

std::string BuildRun::expand(std::string_view text) const { return expand_word(text, file_.escape, variables()); }

task::Task<void> BuildRun::argument(const Instruction& instruction) {
  const bool is_global = stages_.empty();
  std::string comment = "ARG";
  for (const std::string& word : split_words(instruction.arguments, file_.escape)) {
    const auto equals = word.find('=');
    const auto expanded = [&](std::string_view text) {
      return is_global ? expand_word(text, file_.escape, global_variables()) : expand(text);
    };
    const std::string name = expanded(std::string_view(word).substr(0, equals));
    if (name.empty()) refuse("ARG names can not be blank");
    std::optional<std::string> value;
    if (equals != std::string::npos) value = expanded(std::string_view(word).substr(equals + 1));
    comment += " " + name + (value ? "=" + *value : "");
    if (is_global) {
      arguments_.declare_global(name, std::move(value));
    } else {
      arguments_.declare(name, std::move(value));
    }
  }
  if (!is_global) co_await commit_settings(comment);
}

// The instruction as apply_change() reads it, its variables replaced, and its comment in the image's history.
BuildRun::Change BuildRun::change_of(const Instruction& instruction) const {
  const std::string& name = instruction.name;
  if (name == "ENV" || name == "LABEL") {
    Change change{name, name};
    for (const auto& [key, value] : expand_pairs(name, instruction.arguments, file_.escape, variables())) {
      change.text += " " + quoted_word(key + "=" + value);
      change.comment += " " + key + "=" + value;
    }
    return change;
  }
  if (name == "EXPOSE" || name == "VOLUME") {
    Change change{name, name};
    std::vector<std::string> words;
    const bool is_list = instruction.list.has_value();
    for (const std::string& word : is_list ? *instruction.list : split_words(instruction.arguments, file_.escape)) {
      const std::string expanded = expand(word);
      if (name == "VOLUME") {
        words.push_back(expanded);
      } else {
        std::ranges::move(split_words(expanded, '\0'), std::back_inserter(words));
      }
    }
    for (const std::string& word : words) change.text += " " + quoted_word(word);
    change.comment += " " + (name == "VOLUME" ? "[" + joined(words) + "]" : joined(words));
    return change;
  }
  if (name == "USER" || name == "STOPSIGNAL") {
    const std::string value = expand(instruction.arguments);
    if (name == "STOPSIGNAL" && !parse_signal(value)) refuse("invalid signal: " + value);
    return {name + " " + value, name + " " + value};
  }
  return {name + " " + instruction.arguments, name + " " + instruction.arguments};
}

task::Task<void> BuildRun::change_setting(const Instruction& instruction) {
  Stage& stage = stages_.back();
  if (instruction.name == "HEALTHCHECK") {
    const std::vector<std::string> before = words_at(stage.config.value("Healthcheck", json::object()), "Test");
    if (!before.empty() && before.front() != "NONE") {
      co_await say("Note: overriding previous HEALTHCHECK: [" + joined(before) + "]\n");
    }
  }
  Change change = change_of(instruction);
  apply_change(stage.config, change.text);
  if (instruction.name == "ENV") index_environment();
  if (instruction.name == "CMD") {
    stage.has_command = true;
    change.comment = "CMD " + quoted_list(words_at(stage.config, "Cmd"));
  } else if (instruction.name == "ENTRYPOINT") {
    // A base image's command was meant for its own entry point.
    if (!stage.has_command) stage.config.erase("Cmd");
    change.comment = "ENTRYPOINT " + quoted_list(words_at(stage.config, "Entrypoint"));
  }
  co_await commit_settings(change.comment);
}

task::Task<void> BuildRun::maintainer(const Instruction& instruction) {
  stages_.back().author = expand(instruction.arguments);
  co_await commit_settings("MAINTAINER " + stages_.back().author);
}

task::Task<void> BuildRun::shell(const Instruction& instruction) {
  stages_.back().config["Shell"] = *instruction.list;
  co_await commit_settings("SHELL [" + joined(*instruction.list) + "]");
}

task::Task<void> BuildRun::trigger(const Instruction& instruction) {
  apply_change(stages_.back().config, "ONBUILD " + instruction.arguments);
  co_await commit_settings("ONBUILD " + instruction.arguments);
}

// The directory is made where it is missing.
task::Task<void> BuildRun::work_directory(const Instruction& instruction) {
  Stage& stage = stages_.back();
  const std::string wanted = expand(instruction.arguments);
  if (wanted.empty()) refuse("cannot normalize nothing");
  std::string path = absolute_target(json_string(stage.config, "WorkingDir"), wanted);
  if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  stage.config["WorkingDir"] = path;
  const std::string comment = "WORKDIR " + path;
  const json key = made_by_comment(comment);
  if (co_await use_cached(key)) co_return;
  co_await task::blocking([&](const std::stop_token& stop) {
    BuildRoot root(means_.images, stage.image_id);
    make_directory_in(root.fd(), path, {0, 0});
    add_image(comment_text(comment), key, root.layer(stop), stop);
  });
}

}  // namespace quoll::mgr
