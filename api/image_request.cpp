#include "api/image_request.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/version.hpp"
#include "task/error.hpp"

namespace quoll::api {
std::optional<mgr::Reference> reference_of(const http::Request& request) {
  const std::string repository = request.query("repo").value_or("");
  const std::string tag = request.query("tag").value_or("");
  if (repository.empty()) return std::nullopt;
  mgr::Reference reference = mgr::parse_reference(tag.empty() ? repository : repository + ":" + tag);
  if (!reference.digest.empty()) {
    throw Error(ErrorClass::kInvalidArgument, "refusing to create a tag with a digest reference");
  }
  return reference;
}

std::vector<mgr::Platform> platforms_of(const http::Request& request, std::string_view parameter, int since) {
  std::vector<mgr::Platform> platforms;
  if (is_before(request, since)) return platforms;
  for (const std::string& text : request.query_values(parameter)) {
    if (text.empty()) continue;
    const nlohmann::json value = mgr::parse_untrusted_json(text, parameter);
    mgr::Platform platform{mgr::json_string(value, "os"), mgr::json_string(value, "architecture"),
                           mgr::json_string(value, "variant")};
    if (platform.os.empty() || platform.architecture.empty()) {
      throw Error(ErrorClass::kInvalidArgument, "both OS and Architecture must be provided");
    }
    platforms.push_back(std::move(platform));
  }
  return platforms;
}

void check_platform(const mgr::Image& image, const std::string& name, const std::vector<mgr::Platform>& wanted) {
  if (wanted.empty()) return;
  const mgr::Platform own = image.platform();
  if (std::ranges::any_of(wanted, [&](const mgr::Platform& each) { return mgr::is_of(own, each); })) return;
  throw Error(ErrorClass::kNotFound, "image with reference " + name + " was found but its platform (" + to_string(own) +
                                         ") does not match the specified platform (" + to_string(wanted.front()) + ")");
}

// Clients send one instruction a parameter, or several lines in one.
std::vector<std::string> changes_of(const http::Request& request) {
  std::vector<std::string> changes;
  for (const std::string& text : request.query_values("changes")) {
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      if (text.find_first_not_of(" \t\r", begin) < end) changes.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return changes;
}

}  // namespace quoll::api
