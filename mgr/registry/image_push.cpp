#include "mgr/registry/image_push.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "http/uri.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/image/store_pin.hpp"
#include "mgr/registry/registry_error.hpp"
#include "mgr/registry/registry_manifest.hpp"
#include "mgr/registry/registry_session.hpp"
#include "mgr/short_id.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/mutex.hpp"
#include "task/timer.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr int kUploadAttemptsMax = 4;
constexpr auto kFirstPause = std::chrono::milliseconds(250);
constexpr auto kCleanUpTimeout = std::chrono::minutes(1);

struct Upload {
  ContentDescriptor blob;
  std::string row;                      // empty: not shown
  std::vector<std::string> mount_from;  // repositories of the registry that have it, as far as we know
};

// A blob's bytes as a request's body; reports how many have gone.
struct BlobBody {
  UniqueFd file;
  std::string row;
  std::int64_t sent = 0;
  std::int64_t total = 0;
  Progress* progress = nullptr;

  static task::Task<std::size_t> next(BlobBody* body, std::span<char> buffer) {
    const std::size_t count =
        co_await task::blocking([body, buffer] { return file_source(body->file.get(), "blob")(buffer); });
    body->sent += static_cast<std::int64_t>(count);
    if (!body->row.empty() && count > 0) body->progress->row(body->row, "Pushing", body->sent, body->total);
    co_return count;
  }
};

class ImagePush {
 public:
  ImagePush(RegistryHosts& hosts, ImageStore& store, PushRequest request, Progress& progress)
      : hosts_(hosts),
        store_(store),
        request_(std::move(request)),
        progress_(progress),
        uploads_(hosts.options().uploads_max) {}

  task::Task<void> run();

 private:
  void plan();
  std::vector<std::string> repositories_with(const std::string& blob, const std::vector<Image>& images) const;
  task::Task<void> push_to_first_endpoint();
  task::Task<void> push_to(RegistryEndpoint endpoint);
  task::Task<void> push_blob(RegistrySession* session, const Upload* upload);
  task::Task<bool> has_blob(RegistrySession& session, const Upload& upload);
  task::Task<bool> mount_or_upload(RegistrySession& session, const Upload& upload);
  task::Task<void> upload(RegistrySession& session, const Upload& upload, RegistryUrl location);
  task::Task<void> put_manifest(RegistrySession& session);
  void report(const Upload& upload, const std::string& status) {
    if (!upload.row.empty()) progress_.row(upload.row, status);
  }

  RegistryHosts& hosts_;
  ImageStore& store_;
  const PushRequest request_;
  Progress& progress_;
  task::Semaphore uploads_;

  std::unique_ptr<StorePin> pin_;
  Image image_;
  Manifest manifest_;
  std::vector<Upload> blobs_;  // layers, then the configuration
};

// Reads what is to be sent, and holds it.
void ImagePush::plan() {
  try {
    image_ = store_.get(request_.reference.familiar());
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kNotFound) throw;
    throw Error(ErrorClass::kNotFound,
                "An image does not exist locally with the tag: " + request_.reference.familiar_name());
  }
  pin_ = std::make_unique<StorePin>(store_);
  pin_->hold_blob(image_.manifest);
  manifest_ = parse_manifest(store_.read_blob(image_.manifest), "");
  const std::vector<Image> images = store_.list();
  for (std::size_t i = 0; i < manifest_.layers.size(); ++i) {
    const ContentDescriptor& layer = manifest_.layers[i];
    const std::string& name = i < image_.diff_ids.size() ? image_.diff_ids[i] : layer.digest;
    blobs_.push_back({layer, short_id(name), repositories_with(layer.digest, images)});
  }
  blobs_.push_back({manifest_.config, "", {}});
  for (const Upload& upload : blobs_) {
    if (!pin_->hold_blob(upload.blob.digest)) {
      throw Error(ErrorClass::kNotFound,
                  "image " + image_.id + ": blob " + upload.blob.digest + " is not in the store");
    }
  }
}

// A repo digest says that its repository had the image at some time.
std::vector<std::string> ImagePush::repositories_with(const std::string& blob, const std::vector<Image>& images) const {
  std::set<std::string> found;
  for (const Image& image : images) {
    const std::vector<LayerRecord> layers = store_.layers_of(image.id);
    if (std::ranges::find(layers, blob, &LayerRecord::blob) == layers.end()) continue;
    for (const std::string& name : image.repo_digests) {
      const Reference reference = parse_reference_as_written(name);
      if (reference.domain == request_.reference.domain) found.insert(reference.path);
    }
  }
  found.erase(request_.reference.path);
  return {found.begin(), found.end()};
}

task::Task<void> ImagePush::run() {
  progress_.message("The push refers to repository [" + request_.reference.name() + "]");
  std::exception_ptr failure;
  try {
    co_await task::blocking([this] { plan(); });
    co_await push_to_first_endpoint();
  } catch (...) {
    failure = std::current_exception();
  }
  struct CleanUp {
    static task::Task<void> run(std::unique_ptr<StorePin>* pin) {
      co_await task::blocking([pin] { pin->reset(); });
    }
  };
  co_await task::shielded(kCleanUpTimeout, CleanUp::run(&pin_));
  if (failure) std::rethrow_exception(failure);
}

task::Task<void> ImagePush::push_to_first_endpoint() {
  std::optional<Error> failure;
  for (const RegistryEndpoint& endpoint : hosts_.endpoints(request_.reference.domain, false)) {
    try {
      co_await push_to(endpoint);
      co_return;
    } catch (const Error& error) {
      failure = error;
      if (error.error_class() != ErrorClass::kUnavailable) break;
    }
  }
  throw *failure;
}

task::Task<void> ImagePush::push_to(RegistryEndpoint endpoint) {
  RegistrySession session(hosts_, std::move(endpoint), request_.reference.path, "pull,push", request_.credentials);
  // A first small request settles whether the registry is there and who we are to it, before any layer goes.
  const bool first_known = co_await has_blob(session, blobs_.back());
  for (const Upload& upload : blobs_) {
    report(upload, "Preparing");
    for (const std::string& repository : upload.mount_from) session.also_pull_from(repository);
  }
  std::vector<task::Task<void>> pushes;
  for (std::size_t i = 0; i < blobs_.size(); ++i) {
    if (i + 1 == blobs_.size() && first_known) break;
    pushes.push_back(push_blob(&session, &blobs_[i]));
  }
  co_await task::when_all(std::move(pushes));
  co_await put_manifest(session);
}

task::Task<void> ImagePush::push_blob(RegistrySession* session, const Upload* upload) {
  const auto permit = co_await uploads_.acquire();
  for (int failures = 0;;) {
    try {
      if (co_await has_blob(*session, *upload)) {
        report(*upload, "Layer already exists");
        co_return;
      }
      if (co_await mount_or_upload(*session, *upload)) co_return;
      report(*upload, "Pushed");
      co_return;
    } catch (const Error& error) {
      if (error.error_class() != ErrorClass::kUnavailable || ++failures >= kUploadAttemptsMax) throw;
    }
    report(*upload, "Retrying in 1 second");
    co_await task::sleep_for(kFirstPause * (1 << failures));
  }
}

task::Task<bool> ImagePush::has_blob(RegistrySession& session, const Upload& upload) {
  const RegistryAnswer answer = co_await session.head(session.url("blobs/" + upload.blob.digest));
  co_return answer.status() == 200;
}

// True where it was mounted, false where it was sent.
task::Task<bool> ImagePush::mount_or_upload(RegistrySession& session, const Upload& upload) {
  std::string path = "blobs/uploads/";
  if (!upload.mount_from.empty()) {
    path += "?mount=" + http::percent_encode(upload.blob.digest) +
            "&from=" + http::percent_encode(upload.mount_from.front());
  }
  RegistryAnswer answer = co_await session.send({.method = "POST", .url = session.url(path)});
  if (answer.status() == 201) {
    report(upload, "Mounted from " + upload.mount_from.front());
    co_return true;
  }
  if (answer.status() != 202) throw co_await registry_error(std::move(answer));
  const auto location = answer.url().resolve(answer.header("Location"));
  if (!location) throw Error(ErrorClass::kUnavailable, "the registry named no place for the upload");
  co_await answer.text(64 * 1024);
  co_await this->upload(session, upload, *location);
  co_return false;
}

task::Task<void> ImagePush::upload(RegistrySession& session, const Upload& upload, RegistryUrl location) {
  BlobBody body;
  body.row = upload.row;
  body.total = upload.blob.size;
  body.progress = &progress_;
  const auto path = store_.layout().blob(upload.blob.digest);
  body.file = co_await task::blocking([&] { return open_file(path, O_RDONLY); });
  RegistryRequest patch{.method = "PATCH", .url = std::move(location)};
  patch.headers = {{"Content-Type", "application/octet-stream"}};
  patch.body_producer = [&body](std::span<char> buffer) { return BlobBody::next(&body, buffer); };
  RegistryAnswer taken = co_await session.send(std::move(patch));
  if (taken.status() != 202) throw co_await registry_error(std::move(taken));
  auto finish = taken.url().resolve(taken.header("Location"));
  if (!finish) throw Error(ErrorClass::kUnavailable, "the registry named no place for the upload");
  co_await taken.text(64 * 1024);
  finish->target += (finish->target.find('?') == std::string::npos ? "?digest=" : "&digest=") +
                    http::percent_encode(upload.blob.digest);
  RegistryAnswer stored = co_await session.send({.method = "PUT", .url = std::move(*finish)});
  if (stored.status() != 201) throw co_await registry_error(std::move(stored));
  co_await stored.text(64 * 1024);
}

task::Task<void> ImagePush::put_manifest(RegistrySession& session) {
  const std::string& tag = request_.reference.tag;
  RegistryRequest request{.method = "PUT", .url = session.url("manifests/" + tag)};
  request.headers = {{"Content-Type", manifest_.media_type}};
  request.body = manifest_.text;
  RegistryAnswer answer = co_await session.send(std::move(request));
  if (answer.status() / 100 != 2) throw co_await registry_error(std::move(answer));
  Reference pinned = request_.reference;
  pinned.tag.clear();
  pinned.digest = manifest_.digest;
  co_await task::blocking(
      [&] { store_.add_image({image_.id, image_.manifest, store_.layers_of(image_.id), {pinned}}); });
  const std::size_t size = manifest_.text.size();
  progress_.message(tag + ": digest: " + manifest_.digest + " size: " + std::to_string(size));
  progress_.line(
      {{"progressDetail", json::object()}, {"aux", {{"Tag", tag}, {"Digest", manifest_.digest}, {"Size", size}}}});
}

}  // namespace

task::Task<void> push_image(RegistryHosts& hosts, ImageStore& store, PushRequest request, Progress& progress) {
  ImagePush push(hosts, store, std::move(request), progress);
  co_await push.run();
}

}  // namespace quoll::mgr
