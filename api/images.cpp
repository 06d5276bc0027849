// /images
#include <fcntl.h>
#include <fnmatch.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/filters.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/version.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/image/image_store.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"
#include "task/unique_fd.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

constexpr std::size_t kUploadBufferBytes = 64 * 1024;

// A file without a name, where the image store has its work: it is gone with its descriptor, whatever happens.
UniqueFd make_upload_file(const std::string& root) {
  std::string path = root + "/images/work/upload-XXXXXX";
  UniqueFd file(::mkostemp(path.data(), O_CLOEXEC));
  if (!file) throw system_error(errno, "create " + path);
  ::unlink(path.c_str());
  return file;
}

void write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) throw system_error(errno, "write the upload");
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::size_t read_some(int file, std::span<char> buffer) {
  while (true) {
    const ssize_t bytes = ::read(file, buffer.data(), buffer.size());
    if (bytes >= 0) return static_cast<std::size_t>(bytes);
    if (errno != EINTR) throw system_error(errno, "read the upload");
  }
}

// Takes the request's body at the client's own pace: one that stands still holds a descriptor, and no thread of the
// pool. What the disk does not take is read to its end all the same, as a client that is kept from sending does not
// look for the answer.
Task<void> receive_upload(Request* request, int file) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(kUploadBufferBytes);
  std::optional<Error> failure;
  while (const std::size_t bytes = co_await request->read_body({buffer.get(), kUploadBufferBytes})) {
    if (failure) continue;
    try {
      co_await task::blocking([&] { write_all(file, {buffer.get(), bytes}); });
    } catch (const Error& error) {
      failure = error;
    }
  }
  if (failure) throw *failure;
  if (::lseek(file, 0, SEEK_SET) < 0) throw system_error(errno, "seek the upload");
}

bool is_dangling(const mgr::Image& image) { return image.repo_tags.empty() && image.repo_digests.empty(); }

bool matches_reference(const mgr::Image& image, const std::string& pattern) {
  for (const std::string& tag : image.repo_tags) {
    if (tag == pattern || tag.substr(0, tag.rfind(':')) == pattern) return true;
    if (::fnmatch(pattern.c_str(), tag.c_str(), FNM_PATHNAME) == 0) return true;
    if (::fnmatch(pattern.c_str(), tag.substr(0, tag.rfind(':')).c_str(), FNM_PATHNAME) == 0) return true;
  }
  return false;
}

// What clients before 1.44 know beside the size.
void add_virtual_size(const Request& request, const mgr::Image& image, json& into) {
  if (is_before(request, 44)) into["VirtualSize"] = image.size;
}

json summary_json(const mgr::Image& image) {
  return {{"Id", image.id},
          {"ParentId", ""},
          {"RepoTags", image.repo_tags},
          {"RepoDigests", image.repo_digests},
          {"Created", image.created_seconds},
          {"Size", image.size},
          {"SharedSize", -1},
          {"Labels", image.labels()},
          {"Containers", -1}};
}

json inspect_json(const mgr::Image& image) {
  return {{"Id", image.id},
          {"RepoTags", image.repo_tags},
          {"RepoDigests", image.repo_digests},
          {"Parent", ""},
          {"Comment", mgr::json_string(image.config, "comment")},
          {"Created", image.created},
          {"DockerVersion", mgr::json_string(image.config, "docker_version")},
          {"Author", mgr::json_string(image.config, "author")},
          {"Config", image.container_config()},
          {"Architecture", image.architecture},
          {"Variant", image.variant},
          {"Os", image.os},
          {"Size", image.size},
          {"GraphDriver", {{"Name", "overlay2"}, {"Data", json::object()}}},
          {"RootFS", {{"Type", "layers"}, {"Layers", image.diff_ids}}},
          {"Metadata", {{"LastTagTime", image.last_tagged.empty() ? "0001-01-01T00:00:00Z" : image.last_tagged}}}};
}

}  // namespace

Task<void> load_images(Api& api, Request& request, Response& response) {
  UniqueFd file = co_await task::blocking([&api] { return make_upload_file(api.facts.root); });
  co_await receive_upload(&request, file.get());
  const mgr::LoadResult loaded = co_await task::blocking([&](std::stop_token stop) {
    return api.images.load([&file](std::span<char> buffer) { return read_some(file.get(), buffer); }, std::move(stop));
  });
  std::string lines;
  for (const std::string& message : loaded.messages) lines += to_text({{"stream", message + "\n"}});
  co_await response.send(lines, "application/json");
}

Task<void> list_images(Api& api, Request& request, Response& response) {
  const Filters filters(request.query("filters"), {"dangling", "label", "reference", "before", "since"});
  const std::vector<mgr::Image> images = co_await task::blocking([&api] { return api.images.list(); });
  std::optional<std::int64_t> before;
  std::optional<std::int64_t> since;
  for (const std::string& name : filters.values("before")) before = api.images.get(name).created_seconds;
  for (const std::string& name : filters.values("since")) since = api.images.get(name).created_seconds;
  json list = json::array();
  for (const mgr::Image& image : images) {
    if (before && image.created_seconds >= *before) continue;
    if (since && image.created_seconds <= *since) continue;
    if (!filters.any("dangling",
                     [&](const std::string& value) { return is_dangling(image) == (value == "true" || value == "1"); }))
      continue;
    if (!filters.any("reference", [&](const std::string& pattern) { return matches_reference(image, pattern); }))
      continue;
    if (!filters.match_labels(image.labels())) continue;
    list.push_back(summary_json(image));
    add_virtual_size(request, image, list.back());
  }
  co_await send_json(response, 200, list);
}

Task<void> inspect_image(Api& api, Request& request, Response& response) {
  const std::string name(request.param("name"));
  const mgr::Image image = co_await task::blocking([&api, &name] { return api.images.get(name); });
  json answer = inspect_json(image);
  add_virtual_size(request, image, answer);
  co_await send_json(response, 200, answer);
}

Task<void> remove_image(Api& api, Request& request, Response& response) {
  const std::string name(request.param("name"));
  const mgr::RemoveOptions options{request.query_flag("force"), request.query_flag("noprune")};
  const mgr::RemoveResult result =
      co_await task::blocking([&] { return api.images.remove(name, options, api.containers.image_users()); });
  json items = json::array();
  for (const mgr::RemoveItem& item : result.items) {
    items.push_back({{item.kind == mgr::RemoveItem::Kind::kUntagged ? "Untagged" : "Deleted", item.name}});
  }
  co_await send_json(response, 200, items);
}

}  // namespace quoll::api
