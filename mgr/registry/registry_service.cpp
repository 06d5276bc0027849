#include "mgr/registry/registry_service.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

#include "mgr/image/image.hpp"
#include "mgr/registry/blob_download.hpp"
#include "mgr/registry/registry_error.hpp"
#include "mgr/registry/tag_list.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/event.hpp"
#include "task/timer.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr auto kReportInterval = std::chrono::milliseconds(100);

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
      unpacks_(hosts_.options().downloads_max),
      pulls_({hosts_, store_, downloads_, unpacks_, arrivals_, options.plain_bytes_max}) {}

task::Task<PulledImage> RegistryService::pull(PullRequest request, LineSink sink) {
  co_return co_await pulls_.pull(std::move(request), std::move(sink));
}

task::Task<std::vector<std::string>> RegistryService::tags(Reference reference, RegistryCredentials credentials) {
  std::optional<Error> failure;
  for (const RegistryEndpoint& endpoint : hosts_.endpoints(reference.domain, true)) {
    try {
      RegistrySession session(hosts_, endpoint, reference.path, "pull",
                              endpoint.mirror ? RegistryCredentials{} : credentials);
      co_return co_await list_tags(session, reference);
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
    const std::string text =
        co_await download_small_blob(*found.session, found.manifest.config, static_cast<std::int64_t>(kMetadataMax));
    const json config = parse_untrusted_json(text, "image configuration");
    facts.platforms.push_back(
        {json_string(config, "os"), json_string(config, "architecture"), json_string(config, "variant")});
  }
  co_return facts;
}

}  // namespace quoll::mgr
