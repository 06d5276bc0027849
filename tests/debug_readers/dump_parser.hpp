// A strict reader of the debug=2 text for tests. It knows the grammar of docs/DEBUG.md, not the code that writes it.
#pragma once

#include <cstdint>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::debug_readers {

struct ParsedFrame {
  std::string function;
  std::string file;
  unsigned line = 0;
};

struct ParsedTask {
  std::uint64_t id = 0;
  std::string state;
  std::vector<std::string> extras;
  bool unavailable = false;
  std::vector<ParsedFrame> frames;
  std::optional<ParsedFrame> created;
  std::uint64_t creator_id = 0;

  bool has_frame(std::string_view function) const {
    for (const ParsedFrame& frame : frames) {
      if (frame.function == function) return true;
    }
    return false;
  }
  bool has_extra(std::string_view extra) const {
    for (const std::string& known : extras) {
      if (known == extra) return true;
    }
    return false;
  }
};

// Throws std::runtime_error, with the line, for whatever the grammar does not have.
class DumpParser {
 public:
  static std::vector<ParsedTask> parse(std::string_view text) { return DumpParser(text).run(); }

 private:
  explicit DumpParser(std::string_view text) : rest_(text) {}

  std::vector<ParsedTask> run() {
    std::vector<ParsedTask> tasks;
    while (!rest_.empty()) {
      if (!tasks.empty() && take_line() != "") fail("one blank line between two tasks");
      tasks.push_back(take_task());
    }
    return tasks;
  }

  ParsedTask take_task() {
    static const std::regex head(R"(goroutine ([1-9][0-9]{0,17}) \[([^\],]+)((?:, [^\],]+)*)\]:)");
    std::smatch match;
    const std::string line = take_line();
    if (!std::regex_match(line, match, head)) fail("the head of a task");
    ParsedTask task;
    task.id = std::stoull(match[1]);
    task.state = match[2];
    const std::string extras = match[3];
    for (std::size_t at = 0; at < extras.size();) {
      const std::size_t end = std::min(extras.find(", ", at + 2), extras.size());
      task.extras.push_back(extras.substr(at + 2, end - at - 2));
      at = end;
    }
    if (peek_line() == "\tgoroutine running on other thread; stack unavailable") {
      take_line();
      task.unavailable = true;
    }
    while (!rest_.empty() && !peek_line().empty() && !peek_line().starts_with("created by ")) {
      task.frames.push_back(take_frame());
    }
    if (!task.unavailable && task.frames.empty()) fail("at least one frame");
    if (peek_line().starts_with("created by ")) take_created(task);
    return task;
  }

  ParsedFrame take_frame() {
    constexpr std::string_view kArguments = "(...)";
    std::string line = take_line();
    if (!line.ends_with(kArguments)) fail("a function with (...)");
    line.resize(line.size() - kArguments.size());
    return take_place(std::move(line));
  }

  void take_created(ParsedTask& task) {
    static const std::regex in_goroutine(R"(created by (.+?)(?: in goroutine ([1-9][0-9]*))?)");
    std::smatch match;
    const std::string line = take_line();
    if (!std::regex_match(line, match, in_goroutine)) fail("created by");
    if (match[2].matched) task.creator_id = std::stoull(match[2]);
    task.created = take_place(match[1]);
  }

  ParsedFrame take_place(std::string function) {
    static const std::regex place(R"(\t([^\t ]+):([0-9]+)(?: \+0x[0-9a-f]+)?)");
    if (function.empty() || function.find('%') != std::string::npos) fail("a function name");
    if (function.find('/') != std::string::npos && function.find('.', function.rfind('/')) == std::string::npos) {
      fail("a function name with a dot behind its slash");
    }
    if (function.front() == ' ' || function.front() == '\t') fail("a function name");
    std::smatch match;
    const std::string line = take_line();
    if (!std::regex_match(line, match, place)) fail("a place");
    return {std::move(function), match[1], static_cast<unsigned>(std::stoul(match[2]))};
  }

  std::string_view peek_line() const { return rest_.substr(0, rest_.find('\n')); }
  std::string take_line() {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) fail("a line's end");
    last_ = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return last_;
  }
  [[noreturn]] void fail(const std::string& wanted) const {
    throw std::runtime_error("expected " + wanted + ", at: " + last_);
  }

  std::string_view rest_;
  std::string last_;
};

}  // namespace quoll::debug_readers
