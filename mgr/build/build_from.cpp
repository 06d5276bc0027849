// FROM: the stages of a build and what they stand on.
#include <algorithm>
#include <cctype>

#include "mgr/build/build_run.hpp"
#include "mgr/build/build_text.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/letter_case.hpp"
#include "mgr/registry/registry_service.hpp"
#include "task/blocking.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr const char* kDefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

[[noreturn]] void refuse(std::string message) { throw Error(ErrorClass::kInvalidArgument, std::move(message)); }

json platform_json(const Platform& platform) {
  json result{{"os", platform.os}, {"architecture", platform.architecture}};
  if (!platform.variant.empty()) result["variant"] = platform.variant;
  return result;
}

void add_default_path(json& config) {
  json& env = config["Env"];
  if (!env.is_array()) env = json::array();
  const bool has_path = std::ranges::any_of(env, [](const json& each) {
    return each.is_string() && each.get_ref<const std::string&>().starts_with("PATH=");
  });
  if (!has_path) env.push_back(kDefaultPath);
}

std::vector<std::string> take_triggers(json& config) {
  std::vector<std::string> triggers;
  if (const auto found = config.find("OnBuild"); found != config.end()) {
    if (found->is_array()) triggers = found->get<std::vector<std::string>>();
    config.erase(found);
  }
  return triggers;
}

}  // namespace

StageHead parse_stage_head(const Instruction& instruction) {
  const std::vector<std::string> words = split_words(instruction.arguments, '\\');
  if (words.size() != 1 && (words.size() != 3 || lower(words[1]) != "as")) {
    refuse("dockerfile parse error on line " + std::to_string(instruction.line) +
           ": FROM requires either one or three arguments");
  }
  StageHead head{words.front(), words.size() == 3 ? lower(words[2]) : ""};
  const bool is_name = std::ranges::all_of(
      head.name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; });
  if (words.size() == 3 && (!is_name || std::isalpha(static_cast<unsigned char>(head.name.front())) == 0)) {
    refuse("dockerfile parse error on line " + std::to_string(instruction.line) + ": invalid name for build stage: \"" +
           words[2] + "\", name can't start with a number or contain symbols");
  }
  return head;
}

const BuildRun::Stage* BuildRun::find_stage(const std::string& name) const {
  const auto found = std::ranges::find(stages_, lower(name), &Stage::name);
  return found == stages_.end() || name.empty() ? nullptr : &*found;
}

task::Task<void> BuildRun::from(const Instruction& instruction) {
  const StageHead head = parse_stage_head(instruction);
  const VariableLookup globals = global_variables();
  const std::string base = expand_word(head.base, file_.escape, globals);
  if (base.empty()) refuse("base name (" + head.base + ") should not be blank");
  std::optional<Platform> platform = request_.platform;
  if (const std::string* flag = instruction.flag("platform")) {
    const std::string text = expand_word(*flag, file_.escape, globals);
    if (!text.empty()) platform = parse_platform(text);
  }
  Stage stage;
  if (const Stage* earlier = find_stage(base)) {
    stage = *earlier;
    stage.has_command = false;
  } else if (base == "scratch") {
    stage.platform = platform_json(platform.value_or(host_platform()));
    stage.config = json::object();
  } else {
    const Image image = co_await base_image(base, platform);
    stage.image_id = image.id;
    stage.platform = platform_json(image.platform());
    stage.config = image.container_config();
    stage.author = json_string(image.config, "author");
  }
  stage.name = head.name;
  add_default_path(stage.config);
  std::vector<std::string> triggers = take_triggers(stage.config);
  // From here on the stage before is one that others may name.
  stages_.push_back(std::move(stage));
  index_environment();
  arguments_.begin_stage();
  co_await run_triggers(std::move(triggers));
}

task::Task<void> BuildRun::run_triggers(std::vector<std::string> triggers) {
  if (triggers.empty()) co_return;
  co_await say("# Executing " + std::to_string(triggers.size()) + " build trigger" + (triggers.size() > 1 ? "s" : "") +
               "\n");
  for (const std::string& text : triggers) {
    const Instruction instruction = parse_instruction(text, 0);
    check_trigger(instruction);
    co_await dispatch(instruction);
  }
}

task::Task<Image> BuildRun::base_image(std::string name, std::optional<Platform> platform) {
  if (!request_.pull) {
    const std::optional<Image> found = co_await task::blocking([&]() -> std::optional<Image> {
      try {
        return hold_.take(name);
      } catch (const Error& error) {
        if (error.error_class() != ErrorClass::kNotFound) throw;
      }
      return std::nullopt;
    });
    if (found && (!platform || is_of(found->platform(), *platform))) co_return *found;
  }
  const Reference reference = parse_reference(name);
  const PulledImage pulled =
      co_await means_.registry.pull({.reference = reference,
                                     .platform = platform,
                                     .credentials = credentials_for(request_.credentials, reference.domain)},
                                    sink_);
  co_return co_await task::blocking([&] { return hold_.take(pulled.id); });
}

}  // namespace quoll::mgr
