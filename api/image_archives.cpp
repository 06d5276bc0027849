// Images as tars: load, save, import.
#include <nlohmann/json.hpp>
#include <optional>

#include "api/chunked_answer.hpp"
#include "api/download.hpp"
#include "api/handlers.hpp"
#include "api/image_request.hpp"
#include "api/json_body.hpp"
#include "http/client.hpp"
#include "mgr/container/container_state.hpp"
#include "mgr/image/config_changes.hpp"
#include "mgr/image/image_draft.hpp"
#include "mgr/image/image_save.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/tar_reader.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

Task<void> send_images(Api& api, const std::vector<std::string>& names, const std::vector<mgr::Platform>& platforms,
                       Response& response) {
  auto archive = co_await task::blocking([&] {
    if (!platforms.empty()) {
      for (const std::string& name : names) check_platform(api.images.get(name), name, platforms);
    }
    return std::make_unique<mgr::ImageArchive>(api.images, names);
  });
  co_await send_chunks(
      response,
      [&archive](std::string& chunk, std::size_t size, const std::stop_token& stop) {
        archive->read(chunk, size, stop);
      },
      "application/x-tar");
  co_await task::blocking([&] {
    for (const std::string& name : names) api.images.publish("save", name);
  });
}

// The configuration of an image that is one layer from somewhere.
mgr::ImageDraft import_draft(const Request& request) {
  const std::string source = request.query("fromSrc").value_or("-");
  const std::string message = request.query("message").value_or("");
  const std::string now = mgr::rfc3339_nano(mgr::wall_now_ns());
  const mgr::Platform platform = mgr::parse_platform(request.query("platform").value_or(""));
  mgr::ImageDraft draft;
  json settings = json::object();
  for (const std::string& change : changes_of(request)) mgr::apply_change(settings, change);
  draft.config = {
      {"created", now}, {"architecture", platform.architecture}, {"os", platform.os}, {"config", std::move(settings)}};
  if (!platform.variant.empty()) draft.config["variant"] = platform.variant;
  draft.history = {{"created", now}, {"comment", message.empty() ? "Imported from " + source : message}};
  draft.config["comment"] = draft.history["comment"];
  if (auto reference = reference_of(request)) draft.references.push_back(std::move(*reference));
  return draft;
}

// "http://host:port" and "/path?query".
std::pair<std::string, std::string> split_url(const std::string& url) {
  if (!url.starts_with("http://")) {
    throw Error(ErrorClass::kNotImplemented, "import from " + url + " is not supported: only - and http:// are");
  }
  const auto slash = url.find('/', 7);
  if (slash == std::string::npos) return {url, "/"};
  return {url.substr(0, slash), url.substr(slash)};
}

}  // namespace

Task<void> load_images(Api& api, Request& request, Response& response) {
  const std::vector<mgr::Platform> platforms = platforms_of(request, "platform", 48);
  if (platforms.size() > 1) {
    throw Error(ErrorClass::kInvalidArgument, "loading of several platforms is not supported");
  }
  const auto platform = platforms.empty() ? std::nullopt : std::optional(platforms.front());
  mgr::LoadResult loaded;
  co_await request.consume_body(
      [&](const mgr::ByteSource& tar, const std::stop_token& stop) { loaded = api.images.load(tar, stop, platform); });
  std::string lines;
  for (const std::string& message : loaded.messages) lines += to_text({{"stream", message + "\n"}});
  co_await response.send(lines, "application/json");
}

Task<void> get_image(Api& api, Request& request, Response& response) {
  co_await send_images(api, {std::string(request.param("name"))}, platforms_of(request, "platform", 48), response);
}

Task<void> get_images(Api& api, Request& request, Response& response) {
  const std::vector<std::string> names = request.query_values("names");
  if (names.empty()) throw Error(ErrorClass::kInvalidArgument, "no image names given");
  co_await send_images(api, names, platforms_of(request, "platform", 48), response);
}

Task<void> import_image(Api& api, Request& request, Response& response) {
  const std::string source = request.query("fromSrc").value_or("");
  mgr::ImageDraft draft = import_draft(request);
  std::optional<http::Client> client;
  std::optional<http::ClientResponse> download;
  if (source != "-") {
    const auto [server, target] = split_url(source);
    client = http::Client::from_url(server);
    download = co_await client->get(target);
    if (download->status() != 200) {
      throw Error(ErrorClass::kUnavailable,
                  "failed to GET " + source + " with status " + std::to_string(download->status()));
    }
  }
  std::string id;
  const http::BodyConsumer consume = [&](const mgr::ByteSource& tar, const std::stop_token& stop) {
    mgr::AnyDecompressor plain(tar);
    const mgr::ByteSource layer = [&plain](std::span<char> buffer) { return plain.read(buffer); };
    const std::vector<mgr::Reference> references = draft.references;
    id = mgr::create_image(api.images, std::move(draft), layer, stop).id;
    for (const mgr::Reference& reference : references) api.images.publish("tag", reference.familiar());
    api.images.publish("import", id);
  };
  if (download) {
    co_await consume_download([&](std::span<char> buffer) { return download->read_body(buffer); }, consume);
  } else {
    co_await request.consume_body(consume);
  }
  const std::string line = to_text({{"status", id}});
  co_await response.send(line, "application/json");
}

}  // namespace quoll::api
