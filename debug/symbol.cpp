#include "debug/symbol.hpp"

#include <cctype>
#include <cstddef>

namespace quoll::debug {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Reads one name of clang's; `name_` is what has been understood so far.
class NameReader {
 public:
  explicit NameReader(std::string_view text) : text_(text) {}

  std::string read() {
    while (at_ < text_.size() && !done_) step();
    if (name_.starts_with('*') || name_.starts_with('&')) name_.erase(0, name_.find_first_not_of("*& "));
    return std::move(name_);
  }

 private:
  void step() {
    const char c = text_[at_];
    if (at_operator()) return read_operator();
    if (c == '<') return read_template_arguments();
    if (c == '(') return read_parentheses();
    if (c == ' ') {
      name_.clear();  // what came before was the return type, or a part of it
    } else if (c == '[' && name_.empty()) {
      done_ = true;
      return;
    } else {
      name_ += c;
    }
    ++at_;
  }

  std::string_view rest() const { return text_.substr(at_); }

  // The position behind the bracket that closes the one at `open`.
  std::size_t behind_group(std::size_t open) const {
    int depth = 0;
    for (std::size_t i = open; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '(' || c == '<' || c == '[') ++depth;
      if (c == ')' || c == ']' || (c == '>' && text_[i - 1] != '-')) --depth;
      if (depth == 0) return i + 1;
    }
    return text_.size();
  }

  void read_template_arguments() {
    const std::size_t end = behind_group(at_);
    std::string_view group = text_.substr(at_, end - at_);
    // "(lambda at api/logs.cpp:1:2)" and "(anonymous namespace)::" also occur inside.
    while (!group.empty()) {
      if (group.starts_with("(lambda at ")) {
        name_ += "lambda";
        group.remove_prefix(std::min(group.size(), group.find(')')) + 1);
      } else if (group.starts_with("(anonymous namespace)::")) {
        group.remove_prefix(std::string_view("(anonymous namespace)::").size());
      } else {
        name_ += group.front();
        group.remove_prefix(1);
      }
    }
    at_ = end;
  }

  void read_parentheses() {
    if (rest().starts_with("(anonymous namespace)::")) {
      at_ += std::string_view("(anonymous namespace)::").size();
    } else if (rest().starts_with("(anonymous class)::operator()")) {
      name_ += "lambda";
      at_ += std::string_view("(anonymous class)::operator()").size();
      read_parameters();
    } else if (rest().starts_with("(anonymous ") || rest().starts_with("(unnamed ") || rest().starts_with("(lambda ")) {
      name_ += "anonymous";
      at_ = behind_group(at_);
    } else if (name_ == "decltype" || name_ == "noexcept") {
      at_ = behind_group(at_);
    } else {
      read_parameters();
    }
  }

  // Behind parameters comes the end, or `::` where this was only the function around a local class or closure.
  void read_parameters() {
    if (at_ < text_.size() && text_[at_] == '(') at_ = behind_group(at_);
    for (std::string_view qualifier : {" const", " volatile", " &&", " &", " noexcept"}) {
      if (rest().starts_with(qualifier)) at_ += qualifier.size();
    }
    if (rest().starts_with("::") && !name_.empty()) {
      name_ += "::";
      at_ += 2;
    } else {
      done_ = true;
    }
  }

  bool at_operator() const {
    constexpr std::string_view kWord = "operator";
    if (!rest().starts_with(kWord)) return false;
    if (at_ > 0 && is_word(text_[at_ - 1])) return false;
    const std::size_t behind = at_ + kWord.size();
    return behind < text_.size() && !is_word(text_[behind]);
  }

  void read_operator() {
    at_ += std::string_view("operator").size();
    name_ += "operator";
    if (rest().starts_with("()")) {
      name_ += "()";
      at_ += 2;
    }
    while (at_ < text_.size() && text_[at_] != '(') {
      const char c = text_[at_++];
      if (c == '/') {
        name_ += "_div";
      } else if (c == '%') {
        name_ += "_mod";
      } else {
        name_ += c;
      }
    }
    read_parameters();
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  bool done_ = false;
  std::string name_;
};

}  // namespace

std::string clean_function_name(std::string_view pretty) {
  std::string name = NameReader(pretty).read();
  if (name.size() > kFunctionNameMax) name.resize(kFunctionNameMax);
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool misread = c == '%' || (c == '/' && name.find('.', i) == std::string::npos);
    if (misread || static_cast<unsigned char>(c) < ' ') name[i] = '_';
  }
  if (name.empty()) name = "unknown";
  return name;
}

}  // namespace quoll::debug
