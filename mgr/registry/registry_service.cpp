#include "mgr/registry/registry_service.hpp"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "mgr/image/image.hpp"
#include "mgr/registry/blob_download.hpp"
#include "mgr/registry/registry_error.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/event.hpp"
#include "task/timer.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::size_t kTagListMax = 8 * 1024 * 1024;
constexpr std::size_t kTagsMax = 100'000;
constexpr std::size_t kConfigMax = 8 * 1024 * 1024;
constexpr auto kReportInterval = std::chrono::milliseconds(100);

// The next page of a list: `</v2/x/tags/list?last=b&n=100>; rel="next"`.
std::optional<RegistryUrl> next_page(const RegistryAnswer& answer) {
  const std::string_view link = answer.header("Link");
  const std::size_t end = link.find('>');
  if (!link.starts_with('<') || end == link.npos || link.find("rel=\"next\"") == link.npos) return std::nullopt;
  return answer.url().resolve(link.substr(1, end - 1));
}

task::Task<void> report_until(const task::Event* ended, const Progress* progress, const LineSink* sink) {
  Progress::Cursor cursor;
  while (true) {
    const bool last = ended->is_set();
    const std::string lines = progress->lines_since(cursor);
    if (!lines.empty()) co_await (*sink)(lines);
    if (last) co_return;
    co_await task::sleep_for(kReportInterval);
  }
}

task::Task<void> push_and_tell(RegistryHosts* hosts, ImageStore* store, PushRequest request, Progress* progress,
                               task::Event* ended, std::exception_ptr* failure) {
  try {
    co_await push_image(*hosts, *store, std::move(request), *progress);
  } catch (const Error&) {
    *failure = std::current_exception();
  }
  ended->set();
}

}  // namespace

RegistryService::RegistryService(RegistryServiceOptions options, ImageStore& store)
    : hosts_(std::move(options.registry)),
      store_(store),
      plain_bytes_max_(options.plain_bytes_max),
      downloads_(hosts_.options().downloads_max),
      pulls_({hosts_, store_, downloads_, turns_, options.plain_bytes_max}) {}

task::Task<PulledImage> RegistryService::pull(PullRequest request, LineSink sink) {
  co_return co_await pulls_.pull(std::move(request), std::move(sink));
}

task::Task<std::vector<std::string>> RegistryService::tags(Reference reference, RegistryCredentials credentials) {
  std::optional<Error> failure;
  for (const RegistryEndpoint& endpoint : hosts_.endpoints(reference.domain, true)) {
    try {
      RegistrySession session(hosts_, endpoint, reference.path, "pull",
                              endpoint.mirror ? RegistryCredentials{} : credentials);
      std::vector<std::string> tags;
      std::optional<RegistryUrl> page = session.url("tags/list");
      while (page) {
        RegistryAnswer answer = co_await session.get(*page);
        if (answer.status() != 200) throw co_await registry_error(std::move(answer));
        page = next_page(answer);
        const json body = parse_untrusted_json(co_await answer.text(kTagListMax), "tags");
        const auto list = body.is_object() ? body.find("tags") : body.end();
        if (!body.is_object() || list == body.end() || !list->is_array()) break;
        for (const json& tag : *list) {
          if (tag.is_string() && tags.size() < kTagsMax) tags.push_back(tag.get<std::string>());
        }
        if (list->empty()) break;
      }
      co_return tags;
    } catch (const Error& error) {
      failure = error;
      if (!endpoint.mirror && error.error_class() != ErrorClass::kUnavailable) break;
    }
  }
  throw *failure;
}

task::Task<void> RegistryService::push(PushRequest request, LineSink sink) {
  Progress progress;
  task::Event ended;
  std::exception_ptr failure;
  co_await task::when_all(push_and_tell(&hosts_, &store_, std::move(request), &progress, &ended, &failure),
                          report_until(&ended, &progress, &sink));
  if (failure) std::rethrow_exception(failure);
}

task::Task<void> RegistryService::download(std::string url, std::filesystem::path path) {
  co_await download_file(hosts_, std::move(url), std::move(path), plain_bytes_max_);
}

task::Task<void> RegistryService::login(RegistryCredentials credentials) {
  const std::string name = registry_name(credentials.server_address);
  std::optional<Error> failure;
  for (const RegistryEndpoint& endpoint : hosts_.endpoints(name, false)) {
    try {
      RegistrySession session(hosts_, endpoint, "", "", credentials);
      RegistryAnswer answer = co_await session.get(session.base_url());
      if (answer.status() == 200) co_return;
      const std::string url = answer.url().text();
      const Error error = co_await registry_error(std::move(answer));
      throw Error(error.error_class(), "login attempt to " + url + " failed: " + error.message());
    } catch (const Error& error) {
      failure = error;
      if (error.error_class() != ErrorClass::kUnavailable) break;
    }
  }
  throw *failure;
}

task::Task<DistributionFacts> RegistryService::inspect(Reference reference, RegistryCredentials credentials) {
  FoundManifest found = co_await find_manifest(hosts_, reference, credentials, "pull");
  DistributionFacts facts;
  facts.descriptor = {found.manifest.media_type, found.manifest.digest,
                      static_cast<std::int64_t>(found.manifest.text.size()), std::nullopt};
  for (const ContentDescriptor& each : found.manifest.manifests) {
    if (each.platform) facts.platforms.push_back(*each.platform);
  }
  if (!found.manifest.is_index) {
    const std::string text = co_await download_small_blob(*found.session, found.manifest.config, kConfigMax);
    const json config = parse_untrusted_json(text, "image configuration");
    facts.platforms.push_back(
        {json_string(config, "os"), json_string(config, "architecture"), json_string(config, "variant")});
  }
  co_return facts;
}

}  // namespace quoll::mgr
