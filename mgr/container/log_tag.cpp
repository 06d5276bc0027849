#include "mgr/container/log_tag.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "mgr/short_id.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string value_of(std::string_view action, const LogTagFacts& facts) {
  const std::array<std::pair<std::string_view, std::string>, 8> known{{
      {".ID", short_id(facts.id)},
      {".FullID", facts.id},
      {".Name", facts.name},
      {".ImageID", facts.image_id.substr(0, kShortIdLength)},  // with "sha256:", as dockerd has it
      {".ImageFullID", facts.image_id},
      {".ImageName", facts.image},
      {".Command", facts.command},
      {".DaemonName", "docker"},
  }};
  for (const auto& [name, value] : known) {
    if (name == action) return value;
  }
  throw Error(ErrorClass::kNotImplemented, "{{" + std::string(action) + "}} is not supported in a log tag");
}

}  // namespace

std::string expand_log_tag(const std::string& format, const LogTagFacts& facts) {
  std::string tag;
  for (std::size_t at = 0; at < format.size();) {
    const std::size_t open = std::min(format.find("{{", at), format.size());
    tag.append(format, at, open - at);
    if (open == format.size()) break;
    const std::size_t close = format.find("}}", open);
    if (close == std::string::npos) {
      throw Error(ErrorClass::kInvalidArgument, "invalid log tag \"" + format + "\": unclosed action");
    }
    tag += value_of(trimmed(std::string_view(format).substr(open + 2, close - open - 2)), facts);
    at = close + 2;
  }
  return tag;
}

}  // namespace quoll::mgr
