// BuildRun: one build on its way through a Dockerfile.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/build/builder.hpp"
#include "mgr/build/dockerfile.hpp"
#include "mgr/build/dockerfile_words.hpp"
#include "mgr/image/image_hold.hpp"

namespace quoll::mgr {

class AttachStream;
class Container;

// What a FROM line says.
struct StageHead {
  std::string base;  // its variables still in it
  std::string name;  // in lower case; empty: none
};
// Errors: kInvalidArgument.
StageHead parse_stage_head(const Instruction& instruction);

// Lifetime: a local of build_image().
// Thread:   one task.
class BuildRun {
 public:
  BuildRun(BuildMeans means, BuildContext& context, BuildRequest request, LineSink sink);

  task::Task<std::string> run();

 private:
  // What one stage has come to.
  struct Stage {
    std::string name;                                // in lower case; may be empty
    std::string image_id;                            // empty: nothing yet, on scratch
    nlohmann::json config;                           // the image's settings
    std::map<std::string, std::string> environment;  // what their Env says, by name
    nlohmann::json platform;                         // "os", "architecture" and "variant" of its images
    std::string author;
    bool has_command = false;  // CMD was given in this stage
  };
  // An instruction as apply_change() takes it, and as the image's history shows it.
  struct Change {
    std::string text;
    std::string comment;
  };
  using Handler = task::Task<void> (BuildRun::*)(const Instruction&);
  static Handler handler_of(const std::string& name);

  // build_run.cpp
  void check_order() const;
  void cut_at_target();
  void check_stage_names() const;
  void add_labels();
  task::Task<void> dispatch(const Instruction& instruction);
  task::Task<void> say(std::string text);
  task::Task<void> finish();

  // build_from.cpp
  task::Task<void> from(const Instruction& instruction);
  task::Task<void> run_triggers(std::vector<std::string> triggers);
  task::Task<Image> base_image(std::string name, std::optional<Platform> platform);
  const Stage* find_stage(const std::string& name) const;

  // build_settings.cpp
  task::Task<void> argument(const Instruction& instruction);
  Change change_of(const Instruction& instruction) const;
  task::Task<void> change_setting(const Instruction& instruction);
  task::Task<void> work_directory(const Instruction& instruction);
  task::Task<void> maintainer(const Instruction& instruction);
  task::Task<void> shell(const Instruction& instruction);
  task::Task<void> trigger(const Instruction& instruction);
  void index_environment();
  std::string expand(std::string_view text) const;
  VariableLookup variables() const;
  VariableLookup global_variables() const;  // those of FROM, and of ARG before it
  std::optional<std::string> counted(std::optional<std::string> value) const;

  // build_copy.cpp
  struct Source;
  struct Copy;
  task::Task<void> copy(const Instruction& instruction);
  task::Task<Copy> plan_copy(const Instruction& instruction);
  task::Task<void> fetch(Copy& copy, std::string url);
  task::Task<std::string> image_to_copy_from(std::string name);
  static std::vector<std::string> paths_of(const Copy& copy, const std::string& pattern, const std::stop_token& stop);
  void look_up(Copy& copy, const std::stop_token& stop) const;
  void perform(const Copy& copy, const std::string& comment, const nlohmann::json& made_by,
               const std::stop_token& stop);

  // build_command.cpp
  task::Task<void> command(const Instruction& instruction);
  task::Task<int> run_container(std::shared_ptr<Container> container);
  task::Task<void> copy_output(AttachStream& output);
  task::Task<void> commit_container(std::shared_ptr<Container> container, std::string created_by,
                                    nlohmann::json made_by);
  task::Task<void> drop_container(std::shared_ptr<Container> container, bool keep);

  // build_cache.cpp
  std::vector<std::string> shell_words() const;
  // What a step that has no command of its own is made by.
  std::string comment_text(const std::string& comment) const;
  nlohmann::json made_by(std::vector<std::string> command) const;
  nlohmann::json made_by_comment(const std::string& comment) const;
  // Goes on from an image that an earlier build has made this way; false where there is none.
  task::Task<bool> use_cached(const nlohmann::json& made_by);
  // The image of a step. REQUIRES: the blocking pool.
  void add_image(const std::string& created_by, const nlohmann::json& made_by, ByteSource layer,
                 const std::stop_token& stop);
  void add_image_with_history(nlohmann::json history, const nlohmann::json& made_by, ByteSource layer,
                              const std::stop_token& stop);
  // Of one that changes settings only.
  task::Task<void> commit_settings(const std::string& comment);

  // build_cache_from.cpp
  task::Task<void> take_cache_sources();
  // Makes the step's image of what such an image has for it; false where none has. REQUIRES: the blocking pool.
  bool restore_step(const nlohmann::json& made_by, const std::stop_token& stop);

  const BuildMeans means_;
  BuildContext& context_;
  const BuildRequest request_;
  const LineSink sink_;
  Dockerfile file_;
  BuildArguments arguments_;
  std::vector<Stage> stages_;
  ImageHold hold_;
  std::vector<Image> cache_sources_;        // that are here
  int fetched_ = 0;                         // files so far
  mutable std::size_t variable_bytes_ = 0;  // that variables have stood for so far
};

}  // namespace quoll::mgr
