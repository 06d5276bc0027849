#include "http/fields.hpp"

namespace quoll::http {
namespace {

constexpr std::size_t kTextKept = 1024;
constexpr std::size_t kEntriesKept = 32;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (equals_ignoring_case(trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

void Fields::add(std::string_view name, std::string_view value) {
  entries_.push_back({static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(value.size()),
                      static_cast<std::uint32_t>(name.size())});
  text_.append(name).append(value);
}

void Fields::clear() {
  text_.clear();
  entries_.clear();
}

void Fields::shrink() {
  if (text_.capacity() > kTextKept) std::string().swap(text_);
  if (entries_.capacity() > kEntriesKept) std::vector<Entry>().swap(entries_);
}

Fields::Field Fields::at(std::size_t index) const {
  const Entry& entry = entries_[index];
  const std::string_view text(text_);
  return {text.substr(entry.offset, entry.name_size), text.substr(entry.offset + entry.name_size, entry.value_size)};
}

std::size_t Fields::find(std::string_view name) const {
  for (std::size_t index = 0; index < entries_.size(); ++index) {
    if (entries_[index].name_size == name.size() && equals_ignoring_case(at(index).name, name)) return index;
  }
  return kNone;
}

std::string_view Fields::get(std::string_view name) const {
  const std::size_t index = find(name);
  return index != kNone ? at(index).value : std::string_view();
}

std::size_t Fields::count(std::string_view name) const {
  std::size_t count = 0;
  for (std::size_t index = 0; index < entries_.size(); ++index) {
    if (equals_ignoring_case(at(index).name, name)) ++count;
  }
  return count;
}

}  // namespace quoll::http
