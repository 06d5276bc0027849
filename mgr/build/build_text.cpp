#include "mgr/build/build_text.hpp"

#include "mgr/files/path_stat.hpp"

namespace quoll::mgr {

std::string quoted_word(std::string_view text, char escape) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '$' || c == escape) result += escape;
    result += c;
  }
  return result + "\"";
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) {
    if (&word != &words.front()) text += between;
    text += word;
  }
  return text;
}

std::string quoted_list(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  for (const std::string& word : words) quoted.push_back(quoted_word(word));
  return "[" + joined(quoted) + "]";
}

std::string absolute_target(const std::string& directory, const std::string& path) {
  const bool is_directory = path.ends_with('/') || path == "." || path.ends_with("/.");
  const std::string clean = clean_absolute_path(path.starts_with('/') ? path : directory + "/" + path);
  return is_directory && clean != "/" ? clean + "/" : clean;
}

}  // namespace quoll::mgr
