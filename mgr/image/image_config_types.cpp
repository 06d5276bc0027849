#include "mgr/image/image_config_types.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "mgr/container/container_config_fields.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

const json kNone;

const json& value_or_none(JsonFields& fields, const char* key) {
  const json* value = fields.value(key);
  return value == nullptr ? kNone : *value;
}

void check_health(JsonFields& settings, const std::string& prefix) {
  JsonFields health(value_or_none(settings, "Healthcheck"), prefix + "Healthcheck.");
  health.texts("Test");
  for (const char* key : {"Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"}) health.number(key);
}

// What its containers begin with.
void check_settings(JsonFields& document, const std::string& prefix) {
  JsonFields settings(value_or_none(document, "config"), prefix);
  for (const char* key : {"Hostname", "Domainname", "User", "Image", "WorkingDir", "MacAddress", "StopSignal"}) {
    settings.text(key);
  }
  for (const char* key : {"AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce", "ArgsEscaped",
                          "NetworkDisabled"}) {
    settings.flag(key);
  }
  for (const char* key : {"Cmd", "Entrypoint", "Shell"}) settings.words(key);
  for (const char* key : {"Env", "OnBuild"}) settings.texts(key);
  for (const char* key : {"ExposedPorts", "Volumes"}) settings.keys(key);
  settings.text_map("Labels");
  settings.number("StopTimeout");
  check_health(settings, prefix);
}

void check_history(JsonFields& document, const std::string& prefix) {
  std::size_t index = 0;
  for (const json& each : document.list("history")) {
    JsonFields step(each, prefix + "history[" + std::to_string(index++) + "].");
    for (const char* key : {"created", "created_by", "author", "comment"}) step.text(key);
    step.flag("empty_layer");
  }
}

}  // namespace

void check_config_types(const json& document) {
  const std::string prefix = "image configuration: ";
  JsonFields fields(document, prefix);
  for (const char* key :
       {"created", "author", "comment", "architecture", "variant", "os", "os.version", "docker_version"}) {
    fields.text(key);
  }
  fields.texts("os.features");
  check_settings(fields, prefix + "config.");
  check_history(fields, prefix);
}

}  // namespace quoll::mgr
