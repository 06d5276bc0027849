#include "debug/options.hpp"

#include <charconv>

#include "task/error.hpp"

namespace quoll::debug {
namespace {

constexpr int kStates = static_cast<int>(task::TaskState::kSyscall) + 1;

std::optional<double> unit_ns(std::string_view unit) {
  if (unit == "ns") return 1;
  if (unit == "us") return 1e3;
  if (unit == "ms") return 1e6;
  if (unit == "s") return 1e9;
  if (unit == "m") return 60e9;
  if (unit == "h") return 3600e9;
  return std::nullopt;
}

[[noreturn]] void refuse(std::string_view parameter, std::string_view value, std::string_view wanted) {
  std::string message = "invalid value for \"";
  message.append(parameter).append("\": \"").append(value).append("\" - must be ").append(wanted);
  throw Error(ErrorClass::kInvalidArgument, std::move(message));
}

// "17" or "17,21,30".
std::unordered_set<std::uint64_t> parse_ids(std::string_view text) {
  std::unordered_set<std::uint64_t> ids;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data();; ++at) {
    std::uint64_t id = 0;
    const auto parsed = std::from_chars(at, end, id);
    if (parsed.ec != std::errc() || id == 0) refuse("id", text, "ids of tasks, with commas between them");
    ids.insert(id);
    at = parsed.ptr;
    if (at == end) return ids;
    if (*at != ',') refuse("id", text, "ids of tasks, with commas between them");
  }
}

}  // namespace

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || text.front() == '-') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const std::size_t unit_size = std::min(text.find_first_of("0123456789.-"), text.size());
    const std::optional<double> unit = unit_ns(text.substr(0, unit_size));
    if (!unit) return std::nullopt;
    total += number * *unit;
    text.remove_prefix(unit_size);
  }
  constexpr double kLongest = 9e18;  // 285 years; more does not fit
  if (!(total < kLongest)) return std::nullopt;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(total));
}

std::optional<task::TaskState> parse_state(std::string_view word) {
  for (int value = 0; value < kStates; ++value) {
    const auto state = static_cast<task::TaskState>(value);
    if (task::to_string(state) == word) return state;
  }
  return std::nullopt;
}

DumpOptions parse_dump_options(const QueryLookup& query) {
  DumpOptions options;
  options.match = query("match").value_or("");
  if (const auto word = query("state"); word && !word->empty()) {
    options.state = parse_state(*word);
    if (!options.state) {
      std::string words;
      for (int value = 0; value < kStates; ++value) {
        words.append(value == 0 ? "one of: " : ", ").append(task::to_string(static_cast<task::TaskState>(value)));
      }
      refuse("state", *word, words);
    }
  }
  if (const auto text = query("min_wait"); text && !text->empty()) {
    const auto duration = parse_duration(*text);
    if (!duration) refuse("min_wait", *text, "a duration like 500ms, 30s or 2m");
    options.min_wait = *duration;
  }
  if (const auto text = query("request"); text && !text->empty()) {
    const auto parsed = std::from_chars(text->data(), text->data() + text->size(), options.request);
    if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size() || options.request == 0) {
      refuse("request", *text, "the id of a request");
    }
  }
  if (const auto text = query("id"); text && !text->empty()) {
    options.only = std::make_shared<const std::unordered_set<std::uint64_t>>(parse_ids(*text));
  }
  if (const auto files = query("files"); files && !files->empty()) {
    if (*files != "go") refuse("files", *files, "\"go\"");
    options.files = FileNames::kGo;
  }
  return options;
}

}  // namespace quoll::debug
