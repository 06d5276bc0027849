#include "mgr/image/config_changes.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>

#include "mgr/image/image.hpp"
#include "mgr/letter_case.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

[[noreturn]] void refuse(std::string message) { throw Error(ErrorClass::kInvalidArgument, std::move(message)); }

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Words as a Dockerfile has them: separated by blanks, with quotes and backslashes of a shell.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::optional<std::string> word;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && (c == ' ' || c == '\t')) {
      if (word) words.push_back(std::move(*word));
      word.reset();
      continue;
    }
    if (!word) word.emplace();
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      *word += text[++i];
    } else {
      *word += c;
    }
  }
  if (quote != 0) refuse("unterminated quote in: " + std::string(text));
  if (word) words.push_back(std::move(*word));
  return words;
}

// ["a", "b"]; nothing where the text is no such list.
std::optional<std::vector<std::string>> json_form(std::string_view text) {
  if (!text.starts_with('[')) return std::nullopt;
  const json list = json::parse(text, nullptr, false);
  if (!list.is_array() || !std::ranges::all_of(list, &json::is_string)) return std::nullopt;
  return list.get<std::vector<std::string>>();
}

std::vector<std::string> command_of(const json& config, std::string_view text) {
  if (auto list = json_form(text)) return *list;
  std::vector<std::string> command = {"/bin/sh", "-c"};
  if (const auto shell = config.find("Shell"); shell != config.end() && shell->is_array() && !shell->empty()) {
    command = shell->get<std::vector<std::string>>();
  }
  command.emplace_back(text);
  return command;
}

// "a=b c=d", or the old form "a rest of the line".
std::vector<std::pair<std::string, std::string>> pairs_of(const std::string& name, std::string_view text) {
  const std::vector<std::string> words = words_of(text);
  if (words.empty()) refuse(name + " requires at least one argument");
  if (words.front().find('=') == std::string::npos) {
    if (words.size() < 2) refuse(name + " must have two arguments");
    const auto blank = text.find_first_of(" \t");
    return {{words.front(), std::string(trim(text.substr(blank)))}};
  }
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    if (equals == std::string::npos)
      refuse("Syntax error - can't find = in \"" + word + "\". Must be of the form: name=value");
    if (equals == 0) refuse(name + " names can not be blank");
    pairs.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return pairs;
}

void set_env(json& config, std::string_view text) {
  json& env = config["Env"];
  if (!env.is_array()) env = json::array();
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < env.size(); ++i) {
    if (!env[i].is_string()) continue;
    const auto& setting = env[i].get_ref<const std::string&>();
    places.emplace(setting.substr(0, setting.find('=')), i);
  }
  for (const auto& [key, value] : pairs_of("ENV", text)) {
    const auto [place, is_new] = places.emplace(key, env.size());
    if (is_new) env.push_back(json());
    env[place->second] = key + "=" + value;
  }
}

std::optional<int> number_of(std::string_view text, int least, int most) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) return std::nullopt;
  return number;
}

std::optional<int> port_number(std::string_view text) { return number_of(text, 1, 65535); }

// "80", "80/udp", "8000-8010/tcp": each port by itself.
void expose(json& config, std::string_view text) {
  for (const std::string& word : words_of(text)) {
    const auto slash = std::min(word.find('/'), word.size());
    const std::string ports = word.substr(0, slash);
    const std::string protocol = slash == word.size() ? "tcp" : word.substr(slash + 1);
    const auto dash = ports.find('-');
    const auto first = port_number(ports.substr(0, dash));
    const auto last = dash == std::string::npos ? first : port_number(ports.substr(dash + 1));
    if (!first || !last || *first > *last) refuse("invalid containerPort: " + word);
    if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") refuse("invalid proto: " + protocol);
    for (int port = *first; port <= *last; ++port) {
      config["ExposedPorts"][std::to_string(port) + "/" + protocol] = json::object();
    }
  }
}

void add_volumes(json& config, std::string_view text) {
  auto list = json_form(text);
  for (const std::string& path : list ? *list : words_of(text)) {
    if (trim(path).empty()) refuse("VOLUME specified can not be an empty string");
    config["Volumes"][path] = json::object();
  }
}

void set_directory(json& config, std::string_view text) {
  std::string path(text);
  if (!path.starts_with('/')) {
    const std::string before = json_string(config, "WorkingDir");
    path = (before.empty() ? "/" : before) + (before.ends_with('/') || before.empty() ? "" : "/") + path;
  }
  config["WorkingDir"] = path;
}

// "5m", "1.5s", "300ms" in nanoseconds.
std::int64_t duration_of(std::string_view text) {
  static const std::map<std::string_view, double> kUnits = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                                                            {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  double total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    double number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc()) refuse("time: invalid duration \"" + std::string(text) + "\"");
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const std::string_view unit = rest.substr(0, rest.find_first_of("0123456789."));
    const auto known = kUnits.find(unit);
    if (known == kUnits.end()) refuse("time: missing or unknown unit in duration \"" + std::string(text) + "\"");
    rest.remove_prefix(unit.size());
    total += number * known->second;
  }
  return static_cast<std::int64_t>(total);
}

void set_healthcheck(json& config, std::string_view text) {
  static const std::map<std::string, const char*> kTimes = {{"--interval", "Interval"},
                                                            {"--timeout", "Timeout"},
                                                            {"--start-period", "StartPeriod"},
                                                            {"--start-interval", "StartInterval"}};
  json check = json::object();
  while (text.starts_with("--")) {
    const std::string flag(text.substr(0, text.find_first_of(" \t")));
    text = trim(text.substr(flag.size()));
    const auto equals = flag.find('=');
    if (equals == std::string::npos) refuse("Missing a value on flag: " + flag);
    const std::string name = flag.substr(0, equals);
    const std::string value = flag.substr(equals + 1);
    if (const auto time = kTimes.find(name); time != kTimes.end()) {
      check[time->second] = duration_of(value);
    } else if (name == "--retries") {
      const std::optional<int> count = number_of(value, 0, std::numeric_limits<int>::max());
      if (!count) refuse("--retries must be a number of at least 0 (not " + value + ")");
      check["Retries"] = *count;
    } else {
      refuse("unknown flag: " + name.substr(2));
    }
  }
  const std::string kind = upper(text.substr(0, text.find_first_of(" \t")));
  const std::string_view rest = trim(text.substr(kind.size()));
  if (kind == "NONE" && rest.empty()) {
    check["Test"] = {"NONE"};
  } else if (kind == "CMD" && !rest.empty()) {
    json test = json::array();
    if (const auto list = json_form(rest)) {
      test.push_back("CMD");
      for (const std::string& word : *list) test.push_back(word);
    } else {
      test = {"CMD-SHELL", rest};
    }
    check["Test"] = std::move(test);
  } else {
    refuse("Unknown type \"" + kind + "\" in HEALTHCHECK (try CMD)");
  }
  config["Healthcheck"] = std::move(check);
}

void set_command(json& config, std::string_view text) { config["Cmd"] = command_of(config, text); }
void set_entrypoint(json& config, std::string_view text) { config["Entrypoint"] = command_of(config, text); }
void set_labels(json& config, std::string_view text) {
  for (const auto& [key, value] : pairs_of("LABEL", text)) config["Labels"][key] = value;
}
void add_trigger(json& config, std::string_view text) { config["OnBuild"].push_back(text); }
void set_stop_signal(json& config, std::string_view text) { config["StopSignal"] = text; }
void set_user(json& config, std::string_view text) { config["User"] = text; }

using Change = void (*)(json&, std::string_view);
const std::map<std::string, Change> kChanges = {
    {"CMD", set_command},     {"ENTRYPOINT", set_entrypoint},   {"ENV", set_env},
    {"EXPOSE", expose},       {"HEALTHCHECK", set_healthcheck}, {"LABEL", set_labels},
    {"ONBUILD", add_trigger}, {"STOPSIGNAL", set_stop_signal},  {"USER", set_user},
    {"VOLUME", add_volumes},  {"WORKDIR", set_directory}};

}  // namespace

void apply_change(json& config, std::string_view instruction) {
  instruction = trim(instruction);
  const std::string name = upper(instruction.substr(0, instruction.find_first_of(" \t")));
  const std::string_view arguments = trim(instruction.substr(name.size()));
  const auto change = kChanges.find(name);
  if (change == kChanges.end()) refuse(lower(name) + " is not a valid change command");
  if (arguments.empty()) refuse(name + " requires at least one argument");
  for (const char* key : {"ExposedPorts", "Labels", "Volumes"}) {
    if (config.contains(key) && !config[key].is_object()) config.erase(key);
  }
  if (config.contains("OnBuild") && !config["OnBuild"].is_array()) config.erase("OnBuild");
  change->second(config, arguments);
}

}  // namespace quoll::mgr
