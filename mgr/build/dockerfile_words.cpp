#include "mgr/build/dockerfile_words.hpp"

#include <cctype>

#include "task/error.hpp"

namespace quoll::mgr {

namespace {

// So deep may substitutions stand in each other.
constexpr int kDepthMax = 64;

[[noreturn]] void refuse(std::string message) { throw Error(ErrorClass::kInvalidArgument, std::move(message)); }

bool is_name_char(char c, bool first) {
  const auto u = static_cast<unsigned char>(c);
  return c == '_' || (first ? std::isalpha(u) != 0 : std::isalnum(u) != 0);
}

// A shell's own variables, of one character, which no build has.
bool is_special(char c) { return std::string_view("@*#?-$!0123456789").find(c) != std::string_view::npos; }

// Walks through a word once.
class Expander {
 public:
  Expander(std::string_view text, char escape, const VariableLookup& lookup, int depth = 0)
      : text_(text), escape_(escape), lookup_(lookup), depth_(depth) {
    if (depth > kDepthMax) refuse("substitutions nested too deeply");
  }

  std::string run() {
    while (at_ < text_.size()) step();
    if (quote_ != 0) {
      refuse(std::string("unexpected end of statement while looking for matching ") +
             (quote_ == '"' ? "double" : "single") + "-quote");
    }
    return std::move(out_);
  }

 private:
  void step() {
    const char c = text_[at_];
    if (quote_ == '\'') {
      if (c == '\'') {
        quote_ = 0;
      } else {
        out_ += c;
      }
      ++at_;
    } else if (c == escape_) {
      take_escape();
    } else if (c == '"' || c == '\'') {
      take_quote(c);
    } else if (c == '$') {
      ++at_;
      substitute();
    } else {
      out_ += c;
      ++at_;
    }
  }

  void take_quote(char c) {
    ++at_;
    if (quote_ == 0) {
      quote_ = c;
    } else if (quote_ == c) {
      quote_ = 0;
    } else {
      out_ += c;
    }
  }

  // Within double quotes an escape stands for itself unless something is there to be escaped.
  void take_escape() {
    ++at_;
    if (at_ == text_.size()) {
      if (quote_ != 0) out_ += escape_;
      return;
    }
    const char next = text_[at_++];
    const bool escapes = quote_ == 0 || next == '"' || next == '$' || next == escape_;
    if (!escapes) out_ += escape_;
    out_ += next;
  }

  void substitute() {
    if (at_ < text_.size() && text_[at_] == '{') return substitute_braces();
    std::size_t end = at_;
    while (end < text_.size() && is_name_char(text_[end], end == at_)) ++end;
    if (end == at_ && end < text_.size() && is_special(text_[end])) {
      ++at_;
      return;
    }
    if (end == at_) {
      out_ += '$';
      return;
    }
    out_ += lookup_(std::string(text_.substr(at_, end - at_))).value_or("");
    at_ = end;
  }

  void substitute_braces() {
    std::size_t end = at_ + 1;
    while (end < text_.size() && is_name_char(text_[end], end == at_ + 1)) ++end;
    const std::string name(text_.substr(at_ + 1, end - at_ - 1));
    if (name.empty() || end >= text_.size()) refuse("syntax error: bad substitution in: " + std::string(text_));
    const std::optional<std::string> value = lookup_(name);
    if (text_[end] == '}') {
      out_ += value.value_or("");
      at_ = end + 1;
      return;
    }
    const bool with_colon = text_[end] == ':';
    if (with_colon) ++end;
    const char kind = end < text_.size() ? text_[end] : '\0';
    if (kind != '-' && kind != '+' && kind != '?') {
      refuse("unsupported modifier in substitution: " + std::string(text_));
    }
    const std::string word = inner_word(end + 1);
    const bool is_set = value && !(with_colon && value->empty());
    if (kind == '?' && !is_set) refuse(name + ": " + (word.empty() ? "is not allowed to be unset" : word));
    if (kind == '+') {
      out_ += is_set ? word : "";
    } else {
      out_ += is_set ? *value : word;
    }
  }

  // What is there up to the closing brace, expanded; goes on behind it.
  std::string inner_word(std::size_t begin) {
    int depth = 1;
    std::size_t end = begin;
    for (; end < text_.size(); ++end) {
      if (text_[end] == escape_) {
        ++end;
      } else if (text_[end] == '{') {
        ++depth;
      } else if (text_[end] == '}' && --depth == 0) {
        break;
      }
    }
    if (end >= text_.size()) refuse("syntax error: bad substitution in: " + std::string(text_));
    at_ = end + 1;
    return Expander(text_.substr(begin, end - begin), escape_, lookup_, depth_ + 1).run();
  }

  const std::string_view text_;
  const char escape_;
  const VariableLookup& lookup_;
  const int depth_;
  std::size_t at_ = 0;
  char quote_ = 0;
  std::string out_;
};

}  // namespace

std::string expand_word(std::string_view text, char escape, const VariableLookup& lookup) {
  return Expander(text, escape, lookup).run();
}

std::vector<std::string> split_words(std::string_view text, char escape) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && (c == ' ' || c == '\t')) {
      if (!word.empty()) words.push_back(std::move(word));
      word.clear();
      continue;
    }
    if (c == escape && quote != '\'' && i + 1 < text.size()) {
      word += c;
      word += text[++i];
      continue;
    }
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    }
    word += c;
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::vector<std::pair<std::string, std::string>> split_pairs(const std::string& instruction, std::string_view text,
                                                             char escape) {
  const std::vector<std::string> words = split_words(text, escape);
  if (words.empty()) refuse(instruction + " requires at least one argument");
  if (words.front().find('=') == std::string::npos) {
    const auto value = text.find_first_not_of(" \t", text.find(words.front()) + words.front().size());
    if (value == text.npos) refuse(instruction + " must have two arguments");
    return {{words.front(), std::string(text.substr(value))}};
  }
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) {
      refuse("Syntax error - can't find = in \"" + word + "\". Must be of the form: name=value");
    }
    pairs.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return pairs;
}

std::vector<std::pair<std::string, std::string>> expand_pairs(const std::string& instruction, std::string_view text,
                                                              char escape, const VariableLookup& lookup) {
  auto pairs = split_pairs(instruction, text, escape);
  for (auto& [name, value] : pairs) {
    name = expand_word(name, escape, lookup);
    value = expand_word(value, escape, lookup);
    if (name.empty()) refuse(instruction + " names can not be blank");
  }
  return pairs;
}

}  // namespace quoll::mgr
