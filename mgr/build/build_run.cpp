#include "mgr/build/build_run.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "mgr/build/build_text.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/letter_case.hpp"
#include "mgr/short_id.hpp"
#include "task/blocking.hpp"
#include "task/this_task.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

// A line of the answer.
std::string line_of(const json& message) {
  return message.dump(-1, ' ', false, json::error_handler_t::replace) + "\r\n";
}

}  // namespace

task::Task<std::string> build_image(BuildMeans means, BuildContext& context, BuildRequest request, LineSink sink) {
  BuildRun run(means, context, std::move(request), std::move(sink));
  co_return co_await run.run();
}

BuildRun::BuildRun(BuildMeans means, BuildContext& context, BuildRequest request, LineSink sink)
    : means_(means),
      context_(context),
      request_(std::move(request)),
      sink_(std::move(sink)),
      arguments_(request_.arguments),
      hold_(means.images) {}

BuildRun::Handler BuildRun::handler_of(const std::string& name) {
  static const std::map<std::string, Handler> kHandlers{
      {"ADD", &BuildRun::copy},    {"ARG", &BuildRun::argument},          {"COPY", &BuildRun::copy},
      {"FROM", &BuildRun::from},   {"MAINTAINER", &BuildRun::maintainer}, {"ONBUILD", &BuildRun::trigger},
      {"RUN", &BuildRun::command}, {"SHELL", &BuildRun::shell},           {"WORKDIR", &BuildRun::work_directory}};
  const auto found = kHandlers.find(name);
  return found == kHandlers.end() ? &BuildRun::change_setting : found->second;
}

task::Task<std::string> BuildRun::run() {
  const std::string text = co_await task::blocking(
      [this](const std::stop_token& stop) { return context_.take_dockerfile(request_.dockerfile, stop); });
  file_ = parse_dockerfile(text, request_.dockerfile);
  check_order();
  cut_at_target();
  check_stage_names();
  add_labels();
  const std::string total = std::to_string(file_.instructions.size());
  if (!request_.cache_from.empty()) co_await take_cache_sources();
  for (const std::string& warning : file_.warnings) co_await say(warning + "\n");
  int number = 0;
  for (const Instruction& instruction : file_.instructions) {
    task::this_task::cancel_token().throw_if_cancelled();
    co_await say("Step " + std::to_string(++number) + "/" + total + " : " + instruction.text + "\n");
    co_await dispatch(instruction);
    if (!stages_.empty()) co_await say(" ---> " + short_id(stages_.back().image_id) + "\n");
  }
  co_await finish();
  co_return stages_.back().image_id;
}

task::Task<void> BuildRun::dispatch(const Instruction& instruction) {
  return (this->*handler_of(instruction.name))(instruction);
}

// Only ARG may come before the first FROM, and what FROM lines say must be right.
void BuildRun::check_order() const {
  const auto first =
      std::ranges::find_if(file_.instructions, [](const Instruction& each) { return each.name != "ARG"; });
  if (first == file_.instructions.end() || first->name != "FROM") {
    throw Error(ErrorClass::kInvalidArgument, "no build stage in current context");
  }
  for (const Instruction& each : file_.instructions) {
    if (each.name == "FROM") parse_stage_head(each);
  }
}

// Leaves out what comes behind the stage that is wanted.
void BuildRun::cut_at_target() {
  if (request_.target.empty()) return;
  std::size_t wanted = 0;
  const std::string& target = request_.target;
  const auto [end, error] = std::from_chars(target.data(), target.data() + target.size(), wanted);
  const bool is_number = error == std::errc() && end == target.data() + target.size();
  std::size_t stage = 0;
  bool found = false;
  for (std::size_t i = 0; i < file_.instructions.size(); ++i) {
    const Instruction& each = file_.instructions[i];
    if (each.name != "FROM") continue;
    if (found) {
      file_.instructions.resize(i);
      return;
    }
    found = (is_number && stage == wanted) || parse_stage_head(each).name == lower(target);
    ++stage;
  }
  if (!found) {
    throw Error(ErrorClass::kInvalidArgument, "target stage \"" + target + "\" could not be found");
  }
}

void BuildRun::check_stage_names() const {
  std::set<std::string> names;
  for (const Instruction& each : file_.instructions) {
    const std::string name = each.name == "FROM" ? parse_stage_head(each).name : "";
    if (!name.empty() && !names.insert(name).second) {
      throw Error(ErrorClass::kInvalidArgument, name + " stage name already used");
    }
  }
}

// A step each, behind those of the file.
void BuildRun::add_labels() {
  for (const auto& [key, value] : request_.labels) {
    Instruction label;
    label.name = "LABEL";
    label.arguments = quoted_word(key, file_.escape) + "=" + quoted_word(value, file_.escape);
    label.text = "LABEL " + key + "=" + value;
    file_.instructions.push_back(std::move(label));
  }
}

task::Task<void> BuildRun::say(std::string text) {
  const std::string line = line_of({{"stream", std::move(text)}});
  co_await sink_(line);
}

task::Task<void> BuildRun::finish() {
  const std::string& id = stages_.back().image_id;
  if (id.empty()) {
    throw Error(ErrorClass::kInvalidArgument, "No image was generated. Is your Dockerfile empty?");
  }
  std::string unused;
  for (const std::string& name : arguments_.unused()) unused += (unused.empty() ? "" : " ") + name;
  if (!unused.empty()) co_await say("[Warning] One or more build-args [" + unused + "] were not consumed\n");
  co_await task::blocking([&] { means_.images.finish_build(id, request_.tags); });
  const std::string result = line_of({{"aux", {{"ID", id}}}});
  co_await sink_(result);
  co_await say("Successfully built " + short_id(id) + "\n");
  for (const Reference& tag : request_.tags) co_await say("Successfully tagged " + tag.familiar() + "\n");
}

}  // namespace quoll::mgr
