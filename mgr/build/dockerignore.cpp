#include "mgr/build/dockerignore.hpp"

#include <algorithm>

#include "mgr/image/layer_unpacker.hpp"
#include "mgr/image/rooted_path.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kPatternMax = 1024;
constexpr std::size_t kRulesMax = 10'000;

}  // namespace

DockerIgnore::DockerIgnore(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with('#')) continue;
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    const bool exception = line.starts_with('!');
    if (exception) line.remove_prefix(1);
    while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
    const std::string clean = clean_archive_path(line).value_or("");
    if (clean.empty()) continue;
    if (clean.size() > kPatternMax || rules_.size() == kRulesMax) {
      throw Error(ErrorClass::kInvalidArgument, ".dockerignore: too long");
    }
    std::optional<PathPattern> pattern = PathPattern::parse(clean, PathPattern::DoubleStar::kDirectories);
    if (!pattern) throw Error(ErrorClass::kInvalidArgument, "syntax error in pattern: " + clean);
    rules_.push_back({std::move(*pattern), exception});
    has_exceptions_ = has_exceptions_ || exception;
  }
}

bool DockerIgnore::ignores(std::string_view path, const std::stop_token& stop) const {
  bool ignored = false;
  for (const Rule& rule : rules_) {
    if (ignored != rule.exception) continue;  // it would change nothing
    for (std::size_t begin = 0, end = 0; end != path.npos; begin = end + 1) {
      throw_if_stopped(stop);
      end = path.find('/', begin);
      if (!rule.pattern.fits(path.substr(0, end))) continue;
      ignored = !rule.exception;
      break;
    }
  }
  return ignored;
}

}  // namespace quoll::mgr
