// StorePin: content of the image store that something on its way needs: a pull, a build, a commit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

namespace quoll::mgr {

class ImageStore;

// While a pin holds a blob or a layer, no removal, prune or sweep takes it, whether an image names it or not. So
// verified content is moved into the store as soon as it is complete, and ImageStore::add_image() makes an image of it.
// What no image names and no other pin holds when a pin is released goes again, so a pull that is cut short leaves
// nothing.
//
// Lifetime: the store outlives it.
// Thread:   any, several at once; release() and the destructor when nobody else uses it. Every method blocks on the
// disk. Errors:   kResourceExhausted on a full disk.
class StorePin {
 public:
  explicit StorePin(ImageStore& store) : store_(store) {}
  ~StorePin() { release(); }
  StorePin(const StorePin&) = delete;
  StorePin& operator=(const StorePin&) = delete;

  // Holds a blob. True where the store has it.
  bool hold_blob(const std::string& digest);
  // Holds an unpacked layer. The bytes of its regular files where the store has it, nothing where it has not.
  std::optional<std::int64_t> hold_layer(const std::string& chain_id);

  // Moves a file into the store as the blob of that digest. REQUIRES: verified and flushed, on the store's file system.
  void put_blob(const std::string& digest, const std::filesystem::path& file);
  // Writes, flushes and moves in a small blob (a configuration, a manifest); returns its digest.
  std::string put_blob_text(const std::string& text);
  // Moves an unpacked layer's directory (`diff`, see StoreLayout) into the store. Where another was faster, that one
  // stays and `directory` is left alone. `size` as in LayerContent. REQUIRES: verified against `diff_id`.
  void put_layer(const std::string& chain_id, const std::string& diff_id, std::int64_t size,
                 const std::filesystem::path& directory);

  // Lets go of everything. Nothing is thrown: what cannot be removed now is swept at the next start.
  void release() noexcept;

 private:
  ImageStore& store_;
  std::set<std::string> blobs_;
  std::set<std::string> chains_;
};

}  // namespace quoll::mgr
