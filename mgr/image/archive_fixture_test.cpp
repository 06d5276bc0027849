#include "mgr/image/archive_fixture.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

#include "mgr/image/digest.hpp"

namespace quoll::mgr::fixture {

namespace {

using nlohmann::json;

constexpr std::size_t kBlock = 512;

void put_octal(std::string& block, std::size_t offset, std::size_t width, unsigned long long value) {
  std::snprintf(block.data() + offset, width, "%0*llo", static_cast<int>(width - 1), value);
}

void put_text(std::string& block, std::size_t offset, std::size_t width, const std::string& text) {
  std::memcpy(block.data() + offset, text.data(), std::min(width, text.size()));
}

std::string padded(std::string content) {
  content.resize((content.size() + kBlock - 1) / kBlock * kBlock, '\0');
  return content;
}

std::string header(const TarItem& item, char type, std::size_t size) {
  std::string block(kBlock, '\0');
  put_text(block, 0, 100, item.name);
  put_octal(block, 100, 8, item.mode);
  put_octal(block, 108, 8, item.uid);
  put_octal(block, 116, 8, item.gid);
  put_octal(block, 124, 12, size);
  put_octal(block, 136, 12, static_cast<unsigned long long>(item.mtime));
  block[156] = type;
  put_text(block, 157, 100, item.link);
  put_text(block, 257, 8, std::string("ustar\00000", 8));
  put_octal(block, 329, 8, item.device_major);
  put_octal(block, 337, 8, item.device_minor);
  std::memset(block.data() + 148, ' ', 8);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  std::snprintf(block.data() + 148, 8, "%06o", sum);
  return block;
}

std::string pax_record(const std::string& key, const std::string& value) {
  const std::string body = " " + key + "=" + value + "\n";
  std::size_t length = body.size() + 1;
  while (std::to_string(length).size() + body.size() != length) ++length;
  return std::to_string(length) + body;
}

std::string compress(std::string_view bytes, int (*add_filter)(struct archive*)) {
  std::string out(bytes.size() + bytes.size() / 8 + 65536, '\0');
  std::size_t used = 0;
  struct archive* writer = archive_write_new();
  archive_write_set_format_raw(writer);
  add_filter(writer);
  archive_write_set_bytes_per_block(writer, 0);
  archive_write_open_memory(writer, out.data(), out.size(), &used);
  struct archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_pathname(entry, "data");
  archive_write_header(writer, entry);
  archive_write_data(writer, bytes.data(), bytes.size());
  archive_entry_free(entry);
  archive_write_close(writer);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

}  // namespace

TarItem file(std::string name, std::string content, unsigned mode) {
  return {.name = std::move(name), .content = std::move(content), .mode = mode};
}
TarItem directory(std::string name, unsigned mode) { return {.name = std::move(name), .type = '5', .mode = mode}; }
TarItem symlink(std::string name, std::string target) {
  return {.name = std::move(name), .type = '2', .link = std::move(target), .mode = 0777};
}
TarItem hard_link(std::string name, std::string target) {
  return {.name = std::move(name), .type = '1', .link = std::move(target)};
}

std::string tar(const std::vector<TarItem>& items) {
  std::string out;
  for (const TarItem& item : items) {
    std::string records;
    for (const auto& [key, value] : item.pax) records += pax_record(key, value);
    if (!records.empty()) {
      out += header(TarItem{.name = "PaxHeaders/x"}, 'x', records.size());
      out += padded(records);
    }
    out += header(item, item.type, item.content.size()) + padded(item.content);
  }
  return out + std::string(2 * kBlock, '\0');
}

// Without the time of day that a gzip header has room for.
std::string gzip(std::string_view bytes) {
  return compress(bytes, [](struct archive* writer) {
    const int status = archive_write_add_filter_gzip(writer);
    archive_write_set_filter_option(writer, "gzip", "timestamp", nullptr);
    return status;
  });
}
std::string zstd(std::string_view bytes) { return compress(bytes, &archive_write_add_filter_zstd); }

ByteSource source(std::string_view bytes, std::size_t piece) {
  return [bytes, piece](std::span<char> buffer) mutable {
    const std::size_t count = std::min({buffer.size(), piece, bytes.size()});
    std::memcpy(buffer.data(), bytes.data(), count);
    bytes.remove_prefix(count);
    return count;
  };
}

std::string ImageSpec::config() const {
  json diff_ids = json::array();
  for (const std::string& layer : layers) diff_ids.push_back(sha256_digest(layer));
  return json{{"architecture", architecture},
              {"os", "linux"},
              {"created", created},
              {"config", {{"Cmd", {"sh"}}, {"Env", {"PATH=/bin"}}}},
              {"rootfs", {{"type", "layers"}, {"diff_ids", diff_ids}}}}
      .dump();
}

std::string ImageSpec::id() const { return sha256_digest(config()); }
std::string ImageSpec::packed(std::size_t layer) const { return pack != nullptr ? pack(layers[layer]) : layers[layer]; }

std::string docker_archive(const std::vector<ImageSpec>& images) {
  std::vector<TarItem> items;
  json manifest = json::array();
  for (const ImageSpec& image : images) {
    json layers = json::array();
    for (std::size_t i = 0; i < image.layers.size(); ++i) {
      const std::string name = sha256_hex(image.layers[i]) + "/layer.tar";
      items.push_back(file(name, image.packed(i)));
      layers.push_back(name);
    }
    const std::string config = digest_hex(image.id()) + ".json";
    items.push_back(file(config, image.config()));
    json item = {{"Config", config}, {"Layers", layers}, {"RepoTags", image.tags}};
    if (image.tags.empty()) item["RepoTags"] = nullptr;
    manifest.push_back(std::move(item));
  }
  items.push_back(file("manifest.json", manifest.dump()));
  return tar(items);
}

json OciLayout::blob(const std::string& content, const std::string& media_type) {
  const std::string digest = sha256_digest(content);
  files["blobs/sha256/" + digest_hex(digest)] = content;
  return {{"mediaType", media_type}, {"digest", digest}, {"size", content.size()}};
}

json OciLayout::image(const ImageSpec& spec) {
  json layers = json::array();
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    layers.push_back(blob(spec.packed(i), "application/vnd.oci.image.layer.v1.tar"));
  }
  const json manifest = {{"schemaVersion", 2},
                         {"config", blob(spec.config(), "application/vnd.oci.image.config.v1+json")},
                         {"layers", layers}};
  return blob(manifest.dump(), "application/vnd.oci.image.manifest.v1+json");
}

std::string OciLayout::finish() const {
  std::vector<TarItem> items = {file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})"),
                                file("index.json", index.dump())};
  for (const auto& [name, content] : files) items.push_back(file(name, content));
  return tar(items);
}

std::string oci_archive(const ImageSpec& image) {
  OciLayout layout;
  json descriptor = layout.image(image);
  if (!image.tags.empty()) descriptor["annotations"] = {{"io.containerd.image.name", image.tags.front()}};
  layout.index["manifests"].push_back(descriptor);
  return layout.finish();
}

std::string docker_oci_archive(const ImageSpec& image) {
  OciLayout layout;
  layout.index["manifests"].push_back(layout.image(image));
  json layers = json::array();
  for (std::size_t i = 0; i < image.layers.size(); ++i) layers.push_back("blobs/sha256/" + sha256_hex(image.packed(i)));
  const json item = {
      {"Config", "blobs/sha256/" + digest_hex(image.id())}, {"Layers", layers}, {"RepoTags", image.tags}};
  layout.files["manifest.json"] = json::array({item}).dump();
  return layout.finish();
}

ImageSpec small_image(std::vector<std::string> tags, std::string content) {
  return {.layers = {tar({directory("bin"), file("bin/hello", std::move(content), 0755)})}, .tags = std::move(tags)};
}

TestDirectory::TestDirectory() : directory_(std::filesystem::temp_directory_path()) {}

TEST(archive_fixture, compression_is_real) {
  const std::string text(100'000, 'a');
  EXPECT_LT(gzip(text).size(), 2'000u);
  EXPECT_LT(zstd(text).size(), 2'000u);
  EXPECT_EQ(gzip(text).substr(0, 2), "\x1f\x8b");
}

// Tests compare digests of what they compress again.
TEST(archive_fixture, compression_knows_no_time) { EXPECT_EQ(gzip("text").substr(4, 4), std::string(4, '\0')); }

}  // namespace quoll::mgr::fixture
