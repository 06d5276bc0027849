#include "mgr/build/dockerfile.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "mgr/build/dockerfile_shape.hpp"
#include "mgr/image/image.hpp"
#include "mgr/letter_case.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::size_t kInstructionsMax = 10'000;

[[noreturn]] void refuse(std::string message) { throw Error(ErrorClass::kInvalidArgument, std::move(message)); }
[[noreturn]] void refuse(int line, const std::string& message) {
  refuse(line == 0 ? message : "dockerfile parse error on line " + std::to_string(line) + ": " + message);
}
[[noreturn]] void refuse_buildkit(int line, const std::string& what) {
  refuse(line, what + " requires BuildKit, which is not supported");
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// By instruction, the flags that are taken. HEALTHCHECK's are part of its arguments.
const std::map<std::string, std::set<std::string, std::less<>>>& known_instructions() {
  static const std::map<std::string, std::set<std::string, std::less<>>> kKnown{
      {"ADD", {"chown"}},  {"ARG", {}},    {"CMD", {}},        {"COPY", {"from", "chown"}},
      {"ENTRYPOINT", {}},  {"ENV", {}},    {"EXPOSE", {}},     {"FROM", {"platform"}},
      {"HEALTHCHECK", {}}, {"LABEL", {}},  {"MAINTAINER", {}}, {"ONBUILD", {}},
      {"RUN", {}},         {"SHELL", {}},  {"STOPSIGNAL", {}}, {"USER", {}},
      {"VOLUME", {}},      {"WORKDIR", {}}};
  return kKnown;
}

bool has_list_form(const std::string& name) {
  static const std::set<std::string> kNames{"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"};
  return kNames.contains(name);
}

std::optional<std::vector<std::string>> json_list(std::string_view text, int line) {
  if (!text.starts_with('[')) return std::nullopt;
  json list;
  try {
    list = parse_untrusted_json(text, "list");
  } catch (const Error&) {
    return std::nullopt;  // for a shell, then
  }
  if (!list.is_array()) return std::nullopt;
  if (!std::ranges::all_of(list, [](const json& each) { return each.is_string(); })) {
    refuse(line, "when using JSON array syntax, arrays must be comprised of strings only");
  }
  return list.get<std::vector<std::string>>();
}

void check_flag(const std::string& instruction, const std::string& flag, int line) {
  static const std::set<std::string> kBuildKit{"mount",   "network", "security", "chmod",       "link",
                                               "parents", "exclude", "checksum", "keep-git-dir"};
  const auto& known = known_instructions().at(instruction);
  if (known.contains(flag)) return;
  if (kBuildKit.contains(flag)) refuse_buildkit(line, "the --" + flag + " option of " + instruction);
  refuse(line, "Unknown flag: " + flag);
}

// "<<EOF" or "<<-'EOF'" as a word outside of quotes.
bool has_here_document(std::string_view text) {
  char quote = 0;
  bool at_word = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (at_word && text.substr(i).starts_with("<<")) {
      std::string_view mark = text.substr(i + 2);
      if (mark.starts_with('-')) mark.remove_prefix(1);
      if (mark.starts_with('"') || mark.starts_with('\'')) mark.remove_prefix(1);
      if (!mark.empty() && (std::isalpha(static_cast<unsigned char>(mark.front())) != 0 || mark.front() == '_')) {
        return true;
      }
    }
    at_word = c == ' ' || c == '\t' || (at_word && std::isdigit(static_cast<unsigned char>(c)) != 0);
  }
  return false;
}

// "# key=value" at the top of a file: the lower-case key and the value.
std::optional<std::pair<std::string, std::string>> directive(std::string_view line) {
  if (!line.starts_with('#')) return std::nullopt;
  line = trim(line.substr(1));
  const auto equals = line.find('=');
  if (equals == line.npos) return std::nullopt;
  std::string key = upper(trim(line.substr(0, equals)));
  const bool is_word = !key.empty() && std::ranges::all_of(key, [](unsigned char c) { return std::isalnum(c) != 0; });
  if (!is_word) return std::nullopt;
  return std::pair(std::move(key), std::string(trim(line.substr(equals + 1))));
}

// What an image's configuration holds is JSON, and a container's record too.
bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(json(text).dump());
    return true;
  } catch (const json::exception&) {
    return false;
  }
}

// The lines of a file, made into instructions.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  Dockerfile read() {
    while (!text_.empty()) add_line(next_line());
    end_instruction();
    return std::move(file_);
  }

 private:
  std::string_view next_line() {
    std::string_view line = text_.substr(0, text_.find('\n'));
    text_.remove_prefix(std::min(text_.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number_;
    return line;
  }

  void add_line(std::string_view line) {
    const std::string_view bare = trim(line);
    if (may_be_directive_ && take_directive(bare)) return;
    // Comments and empty lines vanish, within a continued instruction too.
    has_gap_ = has_gap_ || (continued_ && bare.empty());
    if (bare.empty() || bare.starts_with('#')) return;
    if (!continued_) {
      first_line_ = number_;
      line = bare;
    }
    const auto end = line.find_last_not_of(" \t");
    const bool escaped = end > 0 && line[end - 1] == file_.escape;
    continued_ = line[end] == file_.escape && !escaped;
    joined_ += continued_ ? line.substr(0, end) : line;
    if (!continued_) end_instruction();
  }

  bool take_directive(std::string_view line) {
    const auto found = directive(line);
    if (!found) {
      may_be_directive_ = false;
      return false;
    }
    if (!directives_.insert(found->first).second && (found->first == "ESCAPE" || found->first == "SYNTAX")) {
      refuse(number_, "only one " + std::string(found->first == "ESCAPE" ? "escape" : "syntax") +
                          " parser directive can be used");
    }
    if (found->first != "ESCAPE") return true;
    if (found->second != "\\" && found->second != "`") {
      refuse(number_, "invalid escape token '" + found->second + "' does not match ` or \\");
    }
    file_.escape = found->second.front();
    return true;
  }

  void end_instruction() {
    continued_ = false;
    if (trim(joined_).empty()) return;
    file_.instructions.push_back(parse_instruction(joined_, first_line_, file_.escape));
    if (has_gap_) {
      file_.warnings.push_back("[WARNING]: Empty continuation line found in: " + file_.instructions.back().text);
    }
    has_gap_ = false;
    joined_.clear();
    if (file_.instructions.size() > kInstructionsMax) refuse("dockerfile has too many instructions");
  }

  std::string_view text_;
  Dockerfile file_;
  std::set<std::string> directives_;
  std::string joined_;
  bool may_be_directive_ = true;
  bool continued_ = false;
  bool has_gap_ = false;  // an empty line within the instruction
  int number_ = 0;
  int first_line_ = 0;
};

}  // namespace

const std::string* Instruction::flag(std::string_view wanted) const {
  for (const auto& [key, value] : flags) {
    if (key == wanted) return &value;
  }
  return nullptr;
}

Instruction parse_instruction(std::string_view text, int line, char escape) {
  Instruction instruction;
  text = trim(text);
  instruction.line = line;
  instruction.text = text;
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  instruction.name = upper(word);
  std::string_view rest = trim(text.substr(word.size()));
  if (!known_instructions().contains(instruction.name)) refuse(line, "unknown instruction: " + std::string(word));
  while (instruction.name != "HEALTHCHECK" && instruction.name != "ONBUILD" && rest.starts_with("--")) {
    const std::string_view flag = rest.substr(0, rest.find_first_of(" \t"));
    rest = trim(rest.substr(flag.size()));
    if (flag == "--") break;
    const auto equals = flag.find('=');
    std::string name(flag.substr(2, equals == flag.npos ? flag.npos : equals - 2));
    check_flag(instruction.name, name, line);
    if (equals == flag.npos) refuse(line, "Missing a value on flag: " + name);
    if (instruction.flag(name) != nullptr) refuse(line, "Duplicate flag specified: " + name);
    instruction.flags.emplace_back(std::move(name), flag.substr(equals + 1));
  }
  if (rest.empty()) {
    static const std::set<std::string> kOne{"MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR"};
    refuse(line, instruction.name + " requires " + (kOne.contains(instruction.name) ? "exactly" : "at least") +
                     " one argument");
  }
  const bool may_have_documents = instruction.name == "RUN" || instruction.name == "COPY" || instruction.name == "ADD";
  instruction.arguments = rest;
  if (has_list_form(instruction.name)) instruction.list = json_list(rest, line);
  if (may_have_documents && !instruction.list && has_here_document(rest)) {
    refuse_buildkit(line, "a here-document (<<) in " + instruction.name);
  }
  try {
    check_shape(instruction, escape);
  } catch (const Error& error) {
    refuse(line, error.message());
  }
  return instruction;
}

Dockerfile parse_dockerfile(std::string_view text, const std::string& name) {
  if (!is_utf8(text)) refuse("the Dockerfile (" + name + ") is not valid UTF-8");
  Dockerfile file = Reader(text).read();
  if (file.instructions.empty()) refuse("failed to parse " + name + ": file with no instructions");
  if (!file.warnings.empty()) {
    file.warnings.emplace_back("[WARNING]: Empty continuation lines will become errors in a future release.");
  }
  return file;
}

}  // namespace quoll::mgr
