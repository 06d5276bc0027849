// For tests: archives made byte by byte, so that they can also hold what no tool would write.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/image/durable_file.hpp"

namespace quoll::mgr::fixture {

struct TarItem {
  std::string name;
  char type = '0';  // ustar's type flag: '0' file, '1' hard link, '2' symbolic link, '3' char device, '5' directory
  std::string content = "";
  std::string link = "";
  unsigned mode = 0644;
  unsigned uid = 0;
  unsigned gid = 0;
  long mtime = 1'700'000'000;
  unsigned device_major = 0;
  unsigned device_minor = 0;
  std::map<std::string, std::string> pax = {};  // raw records: "path", "SCHILY.xattr.user.x"
};

TarItem file(std::string name, std::string content = "x", unsigned mode = 0644);
TarItem directory(std::string name, unsigned mode = 0755);
TarItem symlink(std::string name, std::string target);
TarItem hard_link(std::string name, std::string target);

std::string tar(const std::vector<TarItem>& items);
std::string gzip(std::string_view bytes);
std::string zstd(std::string_view bytes);

// Gives out `bytes` in pieces. REQUIRES: `bytes` outlives it.
ByteSource source(std::string_view bytes, std::size_t piece = 4096);

// An image in the making: plain layer tars, and how they are packed.
struct ImageSpec {
  std::vector<std::string> layers;  // uncompressed tars
  std::string (*pack)(std::string_view) = nullptr;
  std::string created = "2024-05-01T12:00:00Z";
  std::string architecture = "amd64";
  std::vector<std::string> tags = {};  // docker-archive: "busybox:latest"; OCI: the first is the annotation's name

  std::string config() const;
  std::string id() const;
  std::string packed(std::size_t layer) const;
};

// As docker save wrote it before version 25: HEX.json, HEX/layer.tar.
std::string docker_archive(const std::vector<ImageSpec>& images);

// As docker save writes it since: blobs and index.json, and a manifest.json that names blobs.
std::string docker_oci_archive(const ImageSpec& image);

// The parts of an OCI layout, to be changed by a test before they become a tar.
struct OciLayout {
  std::map<std::string, std::string> files;  // name to content
  nlohmann::json index = {{"schemaVersion", 2}, {"manifests", nlohmann::json::array()}};

  // Adds a blob and returns its descriptor.
  nlohmann::json blob(const std::string& content, const std::string& media_type);
  // Adds an image's blobs and returns the descriptor of its manifest.
  nlohmann::json image(const ImageSpec& spec);
  std::string finish() const;
};

std::string oci_archive(const ImageSpec& image);

// A busybox-like image of one layer.
ImageSpec small_image(std::vector<std::string> tags, std::string content = "hello");

// A directory below the system's temporary one, gone at the end.
class TestDirectory {
 public:
  TestDirectory();
  const std::filesystem::path& path() const { return directory_.path(); }

 private:
  TemporaryDirectory directory_;
};

}  // namespace quoll::mgr::fixture
