#include "mgr/container/log_attributes.hpp"

#include "mgr/container/container_config_parse.hpp"
#include "mgr/container/log_tag.hpp"
#include "task/regular_expression.hpp"

namespace quoll::mgr {
namespace {

using Attributes = std::map<std::string, std::string>;

// Go's url.QueryEscape.
std::string escaped(const std::string& text) {
  std::string result;
  for (const unsigned char c : text) {
    if (std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~') {
      result += static_cast<char>(c);
    } else if (c == ' ') {
      result += '+';
    } else {
      result += '%';
      result += "0123456789ABCDEF"[c >> 4];
      result += "0123456789ABCDEF"[c & 15];
    }
  }
  return result;
}

Attributes environment_of(const ContainerConfig& config) {
  Attributes environment;
  for (const std::string& entry : config.env) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos) environment[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return environment;
}

void add_wanted(const LogConfig& log, const std::string& option, const Attributes& from, Attributes& into) {
  if (const auto names = log.options.find(option); names != log.options.end()) {
    for (const std::string& name : split(names->second, ',')) {
      if (const auto found = from.find(name); found != from.end()) into.insert(*found);
    }
  }
  if (const auto pattern = log.options.find(option + "-regex"); pattern != log.options.end()) {
    const auto expression = task::RegularExpression::parse(pattern->second);
    for (const auto& each : from) {
      if (expression && expression->found_in(each.first)) into.insert(each);
    }
  }
}

std::string command_of(const ContainerConfig& config) {
  std::string command;
  for (const auto& words : {config.entrypoint.value_or(std::vector<std::string>()), config.cmd}) {
    for (const std::string& word : words) command += (command.empty() ? "" : " ") + word;
  }
  return command;
}

}  // namespace

std::string log_attributes(const Container& container) {
  const ContainerConfig config = *container.config();
  Attributes attributes;
  if (const auto tag = config.host.log.options.find("tag"); tag != config.host.log.options.end()) {
    attributes["tag"] = expand_log_tag(
        tag->second, {container.id(), container.name(), container.image_id(), config.image, command_of(config)});
    if (attributes["tag"].empty()) attributes.erase("tag");
  }
  add_wanted(config.host.log, "labels", config.labels, attributes);
  add_wanted(config.host.log, "env", environment_of(config), attributes);
  std::string text;
  for (const auto& [key, value] : attributes) text += (text.empty() ? "" : ",") + escaped(key) + "=" + escaped(value);
  return text + " ";
}

}  // namespace quoll::mgr
