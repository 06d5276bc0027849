#include "mgr/registry/image_pull.hpp"

#include "mgr/image/digest.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/image/layer_directory.hpp"
#include "mgr/image/remove_tree.hpp"
#include "mgr/image/store_pin.hpp"
#include "mgr/registry/blob_download.hpp"
#include "mgr/registry/layer_fetch.hpp"
#include "mgr/short_id.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr auto kCleanUpTimeout = std::chrono::minutes(5);

// What the pull holds on to, and gives back at its end however it ends.
struct Holdings {
  explicit Holdings(ImageStore& store)
      : pin(store), blob_work(store.layout().images_work), layer_work(store.layout().layers_work) {}

  StorePin pin;
  TemporaryDirectory blob_work;
  TemporaryDirectory layer_work;
};

class ImagePull {
 public:
  ImagePull(PullMeans means, PullRequest request, Progress& progress)
      : means_(means), request_(std::move(request)), progress_(progress) {}

  task::Task<PulledImage> run();

 private:
  struct Plan {
    std::vector<LayerRecord> records;
    std::vector<std::size_t> missing;  // indexes into records
  };

  Platform platform() const { return request_.platform ? *request_.platform : host_platform(); }
  task::Task<std::optional<PulledImage>> known_already();
  task::Task<PulledImage> pull(FoundManifest found);
  void check_platform(const Image& image) const;
  Plan make_plan(const Image& image, const Manifest& manifest);
  task::Task<void> fetch_all(Plan* plan, const Manifest* manifest, RegistrySession* session);
  task::Task<void> fetch_one(LayerRecord* record, ContentDescriptor blob, RegistrySession* session, std::size_t index);
  task::Task<void> download_in_turn(LayerFetch* layer, RegistrySession* session);
  task::Task<std::int64_t> size_unpacked(const LayerFetch* layer);
  std::int64_t unpack_stored(const LayerFetch& layer, const std::stop_token& stop);
  std::vector<Reference> references(const std::string& digest) const;
  PulledImage done(std::string id, std::string digest, bool downloaded);

  const PullMeans means_;
  const PullRequest request_;
  Progress& progress_;
  std::unique_ptr<Holdings> holdings_;
};

// --- Which image -----------------------------------------------------------------------------------------------------

// A reference that leads to an image here most likely still does: ask for the digest alone.
task::Task<std::optional<PulledImage>> ImagePull::known_already() {
  const Reference& reference = request_.reference;
  const auto local = [this](const std::string& name) -> std::optional<Image> {
    try {
      return means_.store.get(name);
    } catch (const Error&) {
      return std::nullopt;
    }
  };
  std::optional<Image> image = co_await task::blocking([&] { return local(reference.canonical()); });
  if (!image) co_return std::nullopt;
  for (const RegistryEndpoint& endpoint : means_.hosts.endpoints(reference.domain, true)) {
    try {
      RegistrySession session(means_.hosts, endpoint, reference.path, "pull",
                              endpoint.mirror ? RegistryCredentials{} : request_.credentials);
      http::HeaderList accept{{"Accept", accepted_manifests()}};
      const RegistryAnswer answer =
          co_await session.head(session.url("manifests/" + wanted_manifest(reference)), std::move(accept));
      const std::string digest(answer.header("Docker-Content-Digest"));
      if (answer.status() != 200 || !is_sha256_digest(digest)) continue;
      Reference pinned = reference;
      pinned.tag.clear();
      pinned.digest = digest;
      image = co_await task::blocking([&] { return local(pinned.canonical()); });
      if (!image || image->os != platform().os || image->architecture != platform().architecture)
        co_return std::nullopt;
      if (!reference.tag.empty()) {
        progress_.message("Pulling from " + reference.path, wanted_manifest(reference));
        co_await task::blocking([&] {
          const std::string tag = reference.familiar();
          const std::optional<Image> tagged = local(tag);
          if (!tagged || tagged->id != image->id) means_.store.tag(image->id, tag);
        });
      }
      co_return done(image->id, digest, false);
    } catch (const Error&) {
      // What is wrong shows when the manifest is asked for.
    }
  }
  co_return std::nullopt;
}

void ImagePull::check_platform(const Image& image) const {
  if (!request_.platform) return;
  if (image.os == request_.platform->os && image.architecture == request_.platform->architecture) return;
  throw Error(ErrorClass::kNotFound, "image with reference " + request_.reference.familiar() +
                                         " was found but does not match the specified platform: wanted " +
                                         to_string(*request_.platform) + ", actual: " + to_string(image.platform()));
}

std::vector<Reference> ImagePull::references(const std::string& digest) const {
  std::vector<Reference> list;
  Reference reference = request_.reference;
  if (reference.digest.empty()) list.push_back(reference);
  reference.tag.clear();
  reference.digest = digest;
  list.push_back(std::move(reference));
  return list;
}

// --- The pull itself -------------------------------------------------------------------------------------------------

task::Task<PulledImage> ImagePull::run() {
  if (auto image = co_await known_already()) co_return std::move(*image);
  FoundManifest found = co_await find_manifest(means_.hosts, request_.reference, request_.credentials, "pull");
  holdings_ = co_await task::blocking([this] { return std::make_unique<Holdings>(means_.store); });
  std::optional<PulledImage> image;
  std::exception_ptr failure;
  try {
    image = co_await pull(std::move(found));
  } catch (...) {
    failure = std::current_exception();
  }
  struct CleanUp {
    static task::Task<void> run(std::unique_ptr<Holdings>* holdings) {
      co_await task::blocking([holdings] { holdings->reset(); });
    }
  };
  co_await task::shielded(kCleanUpTimeout, CleanUp::run(&holdings_));
  if (failure) std::rethrow_exception(failure);
  co_return std::move(*image);
}

task::Task<PulledImage> ImagePull::pull(FoundManifest found) {
  RegistrySession& session = *found.session;
  Manifest manifest = std::move(found.manifest);
  const std::string digest = manifest.digest;
  progress_.message("Pulling from " + request_.reference.path, wanted_manifest(request_.reference));
  for (int depth = 0; manifest.is_index; ++depth) {
    if (depth > kIndexDepthMax) throw Error(ErrorClass::kInvalidArgument, "manifest: indexes nested too deeply");
    const std::string chosen = choose_platform(manifest.manifests, platform()).digest;
    manifest = co_await fetch_manifest(session, chosen, chosen);
  }
  const std::string config =
      co_await download_small_blob(session, manifest.config, static_cast<std::int64_t>(kMetadataMax));
  const Image image = parse_image_config(config);
  check_platform(image);
  if (image.diff_ids.size() != manifest.layers.size()) {
    throw Error(ErrorClass::kInvalidArgument, "invalid manifest, layers length mismatch: expected " +
                                                  std::to_string(image.diff_ids.size()) + ", got " +
                                                  std::to_string(manifest.layers.size()));
  }
  Plan plan = co_await task::blocking([&] { return make_plan(image, manifest); });
  co_await fetch_all(&plan, &manifest, &session);
  const bool downloaded = !plan.missing.empty();
  const Image made = co_await task::blocking([&] {
    NewImage fresh;
    fresh.config = holdings_->pin.put_blob_text(config);
    fresh.manifest = holdings_->pin.put_blob_text(manifest.text);
    fresh.layers = plan.records;
    fresh.references = references(digest);
    return means_.store.add_image(fresh);
  });
  co_return done(made.id, digest, downloaded);
}

PulledImage ImagePull::done(std::string id, std::string digest, bool downloaded) {
  progress_.message("Digest: " + digest);
  progress_.message((downloaded ? "Status: Downloaded newer image for " : "Status: Image is up to date for ") +
                    request_.reference.familiar());
  return {std::move(id), std::move(digest)};
}

// Pins all that the image needs, and says what of it is not here.
ImagePull::Plan ImagePull::make_plan(const Image& image, const Manifest& manifest) {
  Plan plan;
  for (std::size_t i = 0; i < image.diff_ids.size(); ++i) {
    const std::string& blob = manifest.layers[i].digest;
    const auto size = holdings_->pin.hold_layer(image.chain_ids[i]);
    const bool has_blob = holdings_->pin.hold_blob(blob);
    plan.records.push_back({image.chain_ids[i], image.diff_ids[i], blob, size.value_or(0)});
    if (size && has_blob) {
      progress_.row(short_id(blob), "Already exists");
    } else {
      progress_.row(short_id(blob), "Pulling fs layer");
      plan.missing.push_back(i);
    }
  }
  return plan;
}

task::Task<void> ImagePull::fetch_all(Plan* plan, const Manifest* manifest, RegistrySession* session) {
  std::vector<task::Task<void>> fetches;
  for (const std::size_t i : plan->missing) {
    fetches.push_back(fetch_one(&plan->records[i], manifest->layers[i], session, i));
  }
  co_await task::when_all(std::move(fetches));
}

task::Task<void> ImagePull::fetch_one(LayerRecord* record, ContentDescriptor blob, RegistrySession* session,
                                      std::size_t index) {
  LayerFetch layer;
  layer.blob = std::move(blob);
  layer.diff_id = record->diff_id;
  layer.chain_id = record->chain_id;
  layer.row = short_id(layer.blob.digest);
  layer.blob_file = holdings_->blob_work.path() / std::to_string(index);
  layer.layer_directory = holdings_->layer_work.path() / std::to_string(index);
  layer.plain_bytes_max = means_.plain_bytes_max;
  if (!co_await means_.arrivals.bring(record->blob, download_in_turn(&layer, session))) {
    co_await task::blocking([&] { remove_trees({layer.blob_file, layer.layer_directory}); });
  }
  record->size = co_await size_unpacked(&layer);
  progress_.row(layer.row, "Pull complete");
}

// Ends when the store has the blob. Where that comes by this download, it mostly has the layer unpacked as well.
task::Task<void> ImagePull::download_in_turn(LayerFetch* layer, RegistrySession* session) {
  const std::string registry = session->endpoint().base.text();
  const std::string& blob = layer->blob.digest;
  if (means_.downloads.is_taken(registry, blob)) progress_.row(layer->row, "Waiting");
  const LayerTurns::Turn turn = co_await means_.downloads.take(registry, blob);
  // Another pull, or another layer of this image, may have brought it meanwhile.
  const bool is_here = co_await task::blocking([&] {
    layer->unpack = !holdings_->pin.hold_layer(layer->chain_id);
    return holdings_->pin.hold_blob(blob);
  });
  if (!is_here) co_await fetch_layer(*session, holdings_->pin, progress_, *layer);
}

// Of a layer whose blob the store has: unpacked now, where it is not yet.
task::Task<std::int64_t> ImagePull::size_unpacked(const LayerFetch* layer) {
  const auto size = co_await task::blocking([&] { return holdings_->pin.hold_layer(layer->chain_id); });
  if (size) co_return *size;
  const LayerTurns::Turn turn = co_await means_.unpacks.take("", layer->chain_id);
  co_return co_await task::blocking([&](const std::stop_token& stop) { return unpack_stored(*layer, stop); });
}

std::int64_t ImagePull::unpack_stored(const LayerFetch& layer, const std::stop_token& stop) {
  if (const auto size = holdings_->pin.hold_layer(layer.chain_id)) return *size;
  progress_.row(layer.row, "Extracting");
  const std::filesystem::path blob = means_.store.layout().blob(layer.blob.digest);
  const LayerContent content = unpack_blob(blob, layer.blob.digest, layer.layer_directory, stop, layer.plain_bytes_max);
  check_diff_id(layer.diff_id, content.diff_id);
  holdings_->pin.put_layer(layer.chain_id, layer.diff_id, content.size, layer.layer_directory);
  return content.size;
}

}  // namespace

task::Task<PulledImage> pull_image(PullMeans means, PullRequest request, Progress& progress) {
  ImagePull pull(means, std::move(request), progress);
  co_return co_await pull.run();
}

}  // namespace quoll::mgr
