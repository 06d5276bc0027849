#include "mgr/registry/tag_list.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "mgr/image/image.hpp"
#include "mgr/registry/registry_error.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::size_t kBytesMax = 8 * 1024 * 1024;
constexpr std::size_t kPagesMax = 1000;  // registries put at least a hundred tags into one

// `</v2/x/tags/list?last=b&n=100>; rel="next"`.
std::optional<RegistryUrl> next_page(const RegistryAnswer& answer) {
  const std::string_view link = answer.header("Link");
  const std::size_t end = link.find('>');
  if (!link.starts_with('<') || end == link.npos || link.find("rel=\"next\"") == link.npos) return std::nullopt;
  return answer.url().resolve(link.substr(1, end - 1));
}

// What no reference can hold would make an image that nobody can name, nor the store read back.
void check_tag(const Reference& repository, const std::string& tag) {
  try {
    if (parse_reference_as_written(repository.familiar_name() + ":" + tag).tag == tag) return;
  } catch (const Error&) {
    // It is said below.
  }
  throw Error(ErrorClass::kInvalidArgument, "tags: invalid tag \"" + tag + "\"");
}

// {"name": "x", "tags": ["1", "2"]}, or null in place of no tags.
void take_tags(const std::string& page, const Reference& repository, std::vector<std::string>* tags) {
  const json body = parse_untrusted_json(page, "tags");
  if (!body.is_object()) throw Error(ErrorClass::kInvalidArgument, "tags: the answer is no object");
  const auto list = body.find("tags");
  if (list == body.end() || list->is_null()) return;
  if (!list->is_array()) throw Error(ErrorClass::kInvalidArgument, "tags: the tags are no list");
  for (const json& tag : *list) {
    if (!tag.is_string()) throw Error(ErrorClass::kInvalidArgument, "tags: a tag is no text");
    check_tag(repository, tag.get_ref<const std::string&>());
    tags->push_back(tag.get<std::string>());
  }
}

}  // namespace

task::Task<std::vector<std::string>> list_tags(RegistrySession& session, Reference repository) {
  std::vector<std::string> tags;
  std::set<std::string> seen;
  std::size_t bytes = 0;
  std::optional<RegistryUrl> page = session.url("tags/list");
  while (page) {
    const std::string name = request_name("GET", *page);
    if (!seen.insert(page->text()).second) {
      throw Error(ErrorClass::kUnavailable, name + ": the list of tags leads back to this page");
    }
    if (seen.size() > kPagesMax) {
      throw Error(ErrorClass::kUnavailable, name + ": stopped after " + std::to_string(kPagesMax) + " pages of tags");
    }
    RegistryAnswer answer = co_await session.get(*page);
    if (answer.status() != 200) throw co_await registry_error(std::move(answer));
    const std::string text = co_await answer.text(kBytesMax);
    bytes += text.size();
    if (bytes > kBytesMax) {
      throw Error(ErrorClass::kResourceExhausted,
                  name + ": the list of tags is larger than " + std::to_string(kBytesMax) + " bytes");
    }
    take_tags(text, repository, &tags);
    page = next_page(answer);
  }
  co_return tags;
}

}  // namespace quoll::mgr
