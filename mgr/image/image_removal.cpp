#include "mgr/image/image_removal.hpp"

#include <algorithm>
#include <optional>

#include "mgr/image/digest.hpp"
#include "mgr/image/reference.hpp"
#include "mgr/short_id.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

bool is_digest_reference(const std::string& canonical) { return canonical.find('@') != canonical.npos; }

std::string repository_of(const std::string& canonical) { return parse_reference_as_written(canonical).name(); }

struct Conflict {
  bool hard = false;
  bool used = false;
  std::string reason;
};

class Removal {
 public:
  Removal(ImageIndex& index, std::string image_id, const RemoveOptions& options, std::span<const ImageUser> users)
      : index_(index), id_(std::move(image_id)), options_(options), users_(users) {}

  RemoveResult run(const std::string& name) {
    if (names_id(name)) {
      remove_by_id();
    } else {
      remove_by_reference(name);
    }
    return std::move(result_);
  }

 private:
  // Whether the user named the image itself and not one of its references.
  bool names_id(std::string_view name) const { return id_.starts_with(name) || digest_hex(id_).starts_with(name); }

  const ImageUser* user(bool running) const {
    const auto found = std::ranges::find_if(
        users_, [&](const ImageUser& each) { return each.image_id == id_ && each.running == running; });
    return found == users_.end() ? nullptr : &*found;
  }

  // One reference; or one tag, and digests of the same repository beside it.
  bool has_single_reference() const {
    const auto references = index_.references_of(id_);
    if (references.size() <= 1) return true;
    std::optional<std::string> repository;
    int tags = 0;
    for (const std::string& reference : references) {
      if (repository && *repository != repository_of(reference)) return false;
      repository = repository_of(reference);
      if (!is_digest_reference(reference)) ++tags;
    }
    return tags <= 1;
  }

  void untag(const std::string& canonical) {
    index_.references.erase(canonical);
    result_.items.push_back({RemoveItem::Kind::kUntagged, parse_reference_as_written(canonical).familiar()});
  }

  void untag_all() {
    for (const std::string& reference : index_.references_of(id_)) untag(reference);
  }

  void remove_by_reference(const std::string& name) {
    if (!options_.force && has_single_reference()) {
      const ImageUser* stopped = user(false);
      if (const ImageUser* any = user(true) != nullptr ? user(true) : stopped) {
        // Without its last reference the image would be left dangling: the client must say that it wants this.
        throw Error(ErrorClass::kConflict, "conflict: unable to remove repository reference \"" + name +
                                               "\" (must force) - container " + short_id(any->container_id) +
                                               " is using its referenced image " + short_id(id_));
      }
    }
    const std::string canonical = parse_reference(name).canonical();
    untag(canonical);
    if (!is_digest_reference(canonical)) untag_digests_without_tag(repository_of(canonical));
    if (!index_.references_of(id_).empty()) return;
    // A container may still hold the image: then the untagging was all, and that is no error.
    // Other images may stand on it.
    const auto conflict = find_conflict(false);
    if (conflict && (conflict->used || has_children(id_))) return;
    if (conflict) refuse(*conflict);
    delete_image();
  }

  // A digest reference of a repository goes with the repository's last tag.
  void untag_digests_without_tag(const std::string& repository) {
    std::vector<std::string> digests;
    for (const std::string& reference : index_.references_of(id_)) {
      if (repository_of(reference) != repository) continue;
      if (!is_digest_reference(reference)) return;
      digests.push_back(reference);
    }
    for (const std::string& reference : digests) untag(reference);
  }

  void remove_by_id() {
    const bool single = has_single_reference();
    if (const auto conflict = find_conflict(!single)) refuse(*conflict);
    untag_all();
    delete_image();
  }

  bool has_children(const std::string& id) const {
    return std::ranges::any_of(index_.images,
                               [&](const auto& each) { return each.second.parent == id && !each.second.removed; });
  }

  std::optional<Conflict> find_conflict(bool count_references) const {
    if (has_children(id_)) return Conflict{true, false, "image has dependent child images"};
    if (const ImageUser* running = user(true)) {
      return Conflict{true, true, "image is being used by running container " + short_id(running->container_id)};
    }
    if (options_.force) return std::nullopt;
    if (count_references && index_.references_of(id_).size() > 1) {
      return Conflict{false, false, "image is referenced in multiple repositories"};
    }
    if (const ImageUser* stopped = user(false)) {
      return Conflict{false, true, "image is being used by stopped container " + short_id(stopped->container_id)};
    }
    return std::nullopt;
  }

  [[noreturn]] void refuse(const Conflict& conflict) const {
    throw Error(ErrorClass::kConflict, "conflict: unable to delete " + short_id(id_) +
                                           (conflict.hard ? " (cannot be forced) - " : " (must be forced) - ") +
                                           conflict.reason);
  }

  void delete_image() {
    result_.items.push_back({RemoveItem::Kind::kDeleted, id_});
    if (user(false) != nullptr) {
      // Forced, and a stopped container stands on these layers: it must still be able to start.
      index_.images.at(id_).removed = true;
      return;
    }
    const std::string parent = take_out(id_);
    if (!options_.noprune) delete_unneeded_parents(parent);
  }

  // Takes the record out, lists the layers that go with it, and returns its parent.
  std::string take_out(const std::string& id) {
    const ImageRecord record = std::move(index_.images.at(id));
    index_.images.erase(id);
    const auto used = index_.used_chains();
    for (auto layer = record.layers.rbegin(); layer != record.layers.rend(); ++layer) {
      if (!used.contains(layer->chain_id)) result_.items.push_back({RemoveItem::Kind::kDeleted, layer->chain_id});
    }
    return record.parent;
  }

  // Images that were only there for the one that went: no reference, no container, no other image needs them.
  void delete_unneeded_parents(std::string id) {
    while (index_.images.contains(id) && !index_.images.at(id).removed && index_.references_of(id).empty() &&
           !has_children(id) &&
           std::ranges::none_of(users_, [&](const ImageUser& each) { return each.image_id == id; })) {
      result_.items.push_back({RemoveItem::Kind::kDeleted, id});
      id = take_out(id);
    }
  }

  ImageIndex& index_;
  const std::string id_;
  const RemoveOptions& options_;
  const std::span<const ImageUser> users_;
  RemoveResult result_;
};

}  // namespace

RemoveResult apply_removal(ImageIndex& index, const std::string& name, const RemoveOptions& options,
                           std::span<const ImageUser> users) {
  return Removal(index, index.resolve(name), options, users).run(name);
}

bool drop_unused(ImageIndex& index, std::span<const ImageUser> users) {
  const auto unused = [&](const auto& each) {
    return each.second.removed &&
           std::ranges::none_of(users, [&](const ImageUser& user) { return user.image_id == each.first; });
  };
  return std::erase_if(index.images, unused) > 0;
}

}  // namespace quoll::mgr
