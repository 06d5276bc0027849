#include "mgr/image/image_save.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "mgr/image/digest.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/layer_unpacker.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::size_t kReadBytes = 128 * 1024;

std::string blob_name(const std::string& digest) { return "blobs/sha256/" + digest_hex(digest); }

// The images that names mean, in the order of the names, each with the tags that it is saved under.
struct Selection {
  std::vector<Image> images;
  std::map<std::string, std::vector<Reference>> tags;  // by image id

  void add(Image image, const Reference* tag) {
    auto& tags_of_image = tags[image.id];
    if (tag != nullptr && std::ranges::find(tags_of_image, *tag) == tags_of_image.end()) tags_of_image.push_back(*tag);
    const bool known = std::ranges::any_of(images, [&](const Image& each) { return each.id == image.id; });
    if (!known) images.push_back(std::move(image));
  }
};

bool add_repository(const std::vector<Image>& all, const Reference& repository, Selection& selection) {
  bool found = false;
  for (const Image& image : all) {
    for (const std::string& text : image.repo_tags) {
      const Reference tag = parse_reference(text);
      if (tag.name() != repository.name()) continue;
      selection.add(image, &tag);
      found = true;
    }
  }
  return found;
}

Selection select_images(const ImageStore& store, const std::vector<std::string>& names) {
  const std::vector<Image> all = store.list();
  Selection selection;
  for (const std::string& name : names) {
    const bool is_id = is_sha256_digest(name) || (name.size() == 64 && is_lower_hex(name));
    if (!is_id) {
      const Reference written = parse_reference_as_written(name);
      if (!written.tag.empty() && written.digest.empty()) {
        selection.add(store.get(name), &written);
        continue;
      }
      if (written.digest.empty() && add_repository(all, written, selection)) continue;
    }
    selection.add(store.get(name), nullptr);
  }
  return selection;
}

json manifest_descriptor(const ImageStore& store, const Image& image) {
  const std::string text = store.read_blob(image.manifest);
  const json manifest = json::parse(text, nullptr, false);
  std::string media_type = json_string(manifest, "mediaType");
  if (media_type.empty()) media_type = "application/vnd.oci.image.manifest.v1+json";
  return {{"mediaType", media_type}, {"digest", image.manifest}, {"size", text.size()}};
}

}  // namespace

ImageArchive::ImageArchive(const ImageStore& store, const std::vector<std::string>& names) : buffer_(kReadBytes) {
  const Selection selection = select_images(store, names);
  json index = {
      {"schemaVersion", 2}, {"mediaType", "application/vnd.oci.image.index.v1+json"}, {"manifests", json::array()}};
  json manifest = json::array();
  json repositories = json::object();
  std::set<std::string> blobs;
  for (const Image& image : selection.images) {
    const std::vector<Reference>& tags = selection.tags.at(image.id);
    const json descriptor = manifest_descriptor(store, image);
    json layers = json::array();
    blobs.insert({image.id, image.manifest});
    for (const LayerRecord& layer : store.layers_of(image.id)) {
      layers.push_back(blob_name(layer.blob));
      blobs.insert(layer.blob);
    }
    json tag_names = json::array();
    for (const Reference& tag : tags) {
      json named = descriptor;
      named["annotations"] = {{"io.containerd.image.name", tag.canonical()},
                              {"org.opencontainers.image.ref.name", tag.tag}};
      index["manifests"].push_back(std::move(named));
      tag_names.push_back(tag.familiar());
      const std::string top = layers.empty() ? image.id : layers.back().get<std::string>();
      repositories[tag.familiar_name()][tag.tag] = top.substr(top.size() - 64);
    }
    if (tags.empty()) index["manifests"].push_back(descriptor);
    manifest.push_back({{"Config", blob_name(image.id)},
                        {"RepoTags", tags.empty() ? json() : std::move(tag_names)},
                        {"Layers", std::move(layers)}});
  }
  add_directory("blobs");
  add_directory("blobs/sha256");
  for (const std::string& digest : blobs) add_blob(store, digest);
  add_text("index.json", index.dump());
  add_text("manifest.json", manifest.dump());
  add_text("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  if (!repositories.empty()) add_text("repositories", repositories.dump());
}

void ImageArchive::add_directory(std::string name) {
  Part part;
  part.entry.type = TarEntryType::kDirectory;
  part.entry.path = std::move(name);
  part.entry.mode = 0755;
  parts_.push_back(std::move(part));
}

void ImageArchive::add_text(std::string name, std::string text) {
  Part part;
  part.entry.type = TarEntryType::kFile;
  part.entry.path = std::move(name);
  part.entry.mode = 0644;
  part.entry.size = static_cast<std::int64_t>(text.size());
  part.text = std::move(text);
  parts_.push_back(std::move(part));
}

void ImageArchive::add_blob(const ImageStore& store, const std::string& digest) {
  const auto path = store.layout().blob(digest);
  Part part;
  part.entry.type = TarEntryType::kFile;
  part.entry.path = blob_name(digest);
  part.entry.mode = 0644;
  part.entry.size = size_on_disk(path);
  part.file = open_file(path, O_RDONLY);
  parts_.push_back(std::move(part));
}

void ImageArchive::read(std::string& chunk, std::size_t size, const std::stop_token& stop) {
  std::string& output = tar_.output();
  output.clear();
  while (output.size() < size && !ended_) {
    throw_if_stopped(stop);
    if (current_ != nullptr) {
      read_file();
    } else {
      begin_part();
    }
  }
  chunk.swap(output);
}

void ImageArchive::begin_part() {
  if (next_ == parts_.size()) {
    tar_.finish();
    ended_ = true;
    return;
  }
  const Part& part = parts_[next_++];
  tar_.add(part.entry);
  if (!part.text.empty()) tar_.write(part.text);
  if (!part.file || part.entry.size == 0) return;
  current_ = &part;
  left_ = part.entry.size;
}

void ImageArchive::read_file() {
  const auto wanted = static_cast<std::size_t>(std::min<std::int64_t>(left_, kReadBytes));
  const std::size_t got = file_source(current_->file.get(), current_->entry.path)({buffer_.data(), wanted});
  if (got == 0) throw Error(ErrorClass::kInternal, current_->entry.path + " of the image store is too short");
  tar_.write({buffer_.data(), got});
  left_ -= static_cast<std::int64_t>(got);
  if (left_ == 0) current_ = nullptr;
}

}  // namespace quoll::mgr
