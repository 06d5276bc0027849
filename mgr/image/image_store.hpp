// The images of this host: content by digest, layers unpacked for overlayfs, references, loading and removing.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/image/archive_images.hpp"
#include "mgr/image/image.hpp"
#include "mgr/image/image_index.hpp"
#include "mgr/image/image_removal.hpp"
#include "mgr/image/store_layout.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

class EventBus;
class ImageHold;
class LoadStaging;
class StorePin;

struct LoadResult {
  std::vector<std::string> messages;   // Docker's lines: "Loaded image: busybox:latest"
  std::vector<std::string> image_ids;  // in the archive's order, each once
};

// An image in the making, of content that is in the store.
struct NewImage {
  std::string config;               // digest of a blob: the image's id
  std::string manifest;             // digest of a blob
  std::vector<LayerRecord> layers;  // base first, as many as the configuration has diff ids
  std::vector<Reference> references;
  std::string parent = {};  // id of the image that it was made from on this host; empty when none
  BuildRole build = BuildRole::kNone;
  ImageHold* hold = nullptr;  // of the caller's, that has the image from its first moment on
};

struct ImageUsage {
  Image image;
  std::int64_t bytes = 0;  // of its layers, unpacked, and of its blobs
  std::int64_t manifest_bytes = 0;
  std::int64_t shared_bytes = 0;  // of those that another image needs too
  std::int64_t shared_size = 0;   // of the layers alone, as Image::size counts
};

struct StoreUsage {
  std::int64_t bytes = 0;          // each layer and blob once
  std::vector<ImageUsage> images;  // as list()
};

std::string kernel_boot_id();

struct ImageStoreOptions {
  Platform platform = host_platform();  // which image of a multi-platform archive is taken
  std::function<std::chrono::system_clock::time_point()> now = &std::chrono::system_clock::now;
  // Which start of the kernel this is: what a process wrote and did not flush is there as long as that lasts.
  std::string boot_id = kernel_boot_id();
  // Called, under the store's mutex, when layers have come that are to be flushed; none: the destructor flushes them.
  std::function<void()> on_unflushed = {};
  EventBus* events = nullptr;  // who is told of images that are loaded, tagged, untagged and deleted; none: nobody
};

// On disk, below the root:
//   images/blobs/sha256/HEX   configurations, manifests and layers as they were loaded
//   images/references.json    the index; replaced as a whole, and the only thing that makes an image exist
//   layers/HEX/diff           a layer unpacked, named by its chain id; layers/HEX/layer.json its facts
//   images/work, layers/work  what is being loaded or removed; emptied at the start
// Everything is written before the index names it, and blobs are flushed; it is dropped after the index has ceased to.
// So after a crash at any moment the index is right, and what it does not name is swept at the next start. Layers,
// which are thousands of small files, are flushed behind the answer: the index says which are not yet, and where the
// kernel has started anew meanwhile, the next start unpacks those again from their blobs.
//
// Lifetime: the process's; a second store on the same root is refused.
// Thread:   all methods from any thread; they block on the disk, so call them on the blocking pool.
// Cancel:   load() throws kCancelled at the next piece of work, and nothing of it remains.
// Errors:   kResourceExhausted when the disk is full; nothing half-made remains.
class ImageStore {
 public:
  // Opens or creates the store. Errors: kUnavailable when it is in use; kInternal when the index is damaged.
  explicit ImageStore(std::filesystem::path root, ImageStoreOptions options = {});
  ImageStore(const ImageStore&) = delete;
  ImageStore& operator=(const ImageStore&) = delete;
  ~ImageStore();

  // All images, the newest first.
  std::vector<Image> list() const;

  // By reference, id, or an unambiguous beginning of one. Errors: kNotFound "No such image: x:latest".
  Image get(const std::string& name) const;

  // Takes in an archive of `docker save` or an OCI layout; several at a time may run. Of images for several platforms
  // that one is taken which is for `platform`; none: for the store's own.
  //
  // Errors:   kInvalidArgument for a damaged or false archive; kNotFound where an image is not for `platform`; what
  //           `source` throws.
  LoadResult load(const ByteSource& source, std::stop_token stop, const std::optional<Platform>& platform = {});

  // Makes an image of content that a StorePin of the caller's holds, and moves the references to it. The same image
  // again takes the references only.
  //
  // Errors:   kInvalidArgument where the configuration is none, or does not fit the layers; kInternal where content is
  //           not there.
  Image add_image(const NewImage& image);

  // Ids of the image that the name means and of all that were made from it on this host; none where it means none.
  std::set<std::string> with_descendants(const std::string& name) const;

  // By full id; also of an image that was removed by force while a container uses it. Errors: kNotFound.
  Image image_of(const std::string& image_id) const;

  // The layers of an image, base first; also of one that was removed by force while a container uses it.
  // Errors: kNotFound.
  std::vector<LayerRecord> layers_of(const std::string& image_id) const;

  // Tells those who follow events what was done with an image: "save", "import", "push".
  void publish(std::string action, const std::string& name) const;

  // The bytes of a small blob (configuration, manifest). Errors: kNotFound; kInvalidArgument beyond kMetadataMax.
  std::string read_blob(const std::string& digest) const;

  const StoreLayout& layout() const { return layout_; }

  // Adds a reference to an image, taking it from another that has it. Errors: as get(), kInvalidArgument.
  void tag(const std::string& name, const std::string& reference);

  // Untags or deletes, as Docker does.
  //
  // Errors:   kNotFound; kConflict with Docker's words.
  RemoveResult remove(const std::string& name, const RemoveOptions& options, const ImageUsers& users);

  // Removes all images of `wanted` that no container uses: those without a reference, or with `all` whatever
  // references they have.
  RemoveResult prune(bool all, const std::function<bool(const Image&)>& wanted, const ImageUsers& users,
                     const std::stop_token& stop);

  // A build has ended in this image, which its caller holds: it is no mere step any more, and gets the references.
  Image finish_build(const std::string& image_id, const std::vector<Reference>& references);

  // Removes the steps of builds that `wanted` lets through and that no image, reference or container needs.
  RemoveResult prune_build_steps(const std::function<bool(const Image&)>& wanted, const ImageUsers& users,
                                 const std::stop_token& stop);

  // What lies on the disk, and which images need it.
  StoreUsage usage() const;

  // The unpacked layers, top first, as overlayfs wants its lower directories. Also of an image that was removed by
  // force while a container uses it. Errors: kNotFound.
  std::vector<std::filesystem::path> layer_directories(const std::string& image_id) const;

  // Drops images that were removed by force once no container uses them. Call after a container was removed.
  void release_unused(const ImageUsers& users);

  // Waits until all layers that have come so far are on the disk. Errors: what the file system says; they stay noted
  // then.
  void flush_layers();

  // Images that the index names but whose files are missing or wrong. They are not listed; loading one again repairs
  // it.
  std::vector<std::string> damaged() const;

 private:
  friend class ImageHold;
  friend class StorePin;
  using Trash = std::vector<std::filesystem::path>;

  void open_index();
  void sweep_strays();
  void restore_layers();
  void restore_layer(const LayerRecord& layer, const std::filesystem::path& work) const;
  void note_unflushed(const std::string& chain_id);
  std::shared_ptr<const Image> read_facts(const std::string& id, const ImageRecord& record) const;
  Image snapshot(const std::string& id) const;
  void commit(ImageIndex next);
  void set_reference(ImageIndex& index, const Reference& reference, const std::string& id, LoadResult* result) const;
  LoadResult apply_load(ImageIndex& index, const LoadStaging& staging) const;
  bool remove_unneeded(const std::string& name, const RemoveOptions& options, const ImageUsers& users,
                       const std::stop_token& stop, RemoveResult& total);
  std::vector<ImageUser> users_and_holds(const ImageUsers& users) const;
  Trash collect(const std::vector<LayerRecord>& layers, const std::vector<std::string>& blobs);
  Trash collect_dropped(const ImageIndex& before);
  std::string timestamp() const;
  void tell(std::string action, const std::string& id, std::string name) const;

  // Constant after construction.
  const StoreLayout layout_;
  const ImageStoreOptions options_;
  UniqueFd lock_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  ImageIndex index_;
  std::map<std::string, std::shared_ptr<const Image>> facts_;  // images in good order, without their references
  std::map<std::string, int> pinned_blobs_;                    // how many pins hold it, by digest
  std::map<std::string, int> pinned_chains_;                   // the same of layers, by chain id
  std::map<std::string, std::uint64_t> unflushed_;             // chain ids, and which layer of that name it is
  std::uint64_t unflushed_count_ = 0;
  std::map<std::string, int> held_images_;  // the same of holds, by image id
  std::uint64_t trash_count_ = 0;
  std::int64_t freed_bytes_ = 0;  // of all that was ever collected
};

}  // namespace quoll::mgr
