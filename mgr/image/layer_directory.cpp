#include "mgr/image/layer_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "mgr/image/durable_file.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::size_t kLayerFactsMax = 64 * 1024;
constexpr std::size_t kTarMagicAt = 257;
constexpr std::string_view kTarMagic = "ustar";

Compression compression_of(int blob) {
  std::array<char, 6> head{};
  const ssize_t got = ::pread(blob, head.data(), head.size(), 0);
  return got < 0 ? Compression::kOther : sniff_compression(std::span(head).first(static_cast<std::size_t>(got)));
}

}  // namespace

UniqueFd make_layer_directory(const std::filesystem::path& directory) {
  const auto content = directory / kLayerContent;
  if (::mkdir(directory.c_str(), 0700) != 0 || ::mkdir(content.c_str(), 0755) != 0) {
    throw system_error(errno, "create " + content.string());
  }
  UniqueFd root = open_file(content, O_RDONLY | O_DIRECTORY);
  // The process's mask may have taken bits from the layer's root.
  if (::fchmod(root.get(), 0755) != 0) throw system_error(errno, "set mode of " + content.string());
  return root;
}

void write_layer_facts(const std::filesystem::path& directory, const std::string& diff_id, std::int64_t size) {
  const UniqueFd facts = open_file(directory / kLayerFacts, O_WRONLY | O_CREAT | O_TRUNC);
  write_all(facts.get(), json{{"diff_id", diff_id}, {"size", size}}.dump(), "layer facts");
}

std::optional<std::int64_t> stored_layer_size(const StoreLayout& layout, std::string_view chain_id) try {
  const auto directory = layout.layer(chain_id);
  if (!path_exists(directory / kLayerContent) || !path_exists(directory / kLayerFacts)) return std::nullopt;
  const json facts = json::parse(read_file(directory / kLayerFacts, kLayerFactsMax), nullptr, false);
  if (facts.is_object()) {
    if (const auto size = facts.find("size"); size != facts.end() && size->is_number_integer()) {
      return size->get<std::int64_t>();
    }
  }
  throw Error(ErrorClass::kInternal, "layer " + std::string(chain_id) + " of the store is damaged");
} catch (const Error& error) {
  if (error.error_class() == ErrorClass::kNotFound) return std::nullopt;
  throw;
}

void check_diff_id(const std::string& expected, const std::string& actual) {
  if (actual == expected) return;
  throw Error(ErrorClass::kInvalidArgument,
              "layer " + expected + ": digest mismatch, the uncompressed content is " + actual);
}

LayerContent unpack_blob(const std::filesystem::path& blob, const std::string& blob_digest,
                         const std::filesystem::path& directory, std::stop_token stop, std::int64_t plain_bytes_max) {
  const UniqueFd file = open_file(blob, O_RDONLY);
  LayerContent content = unpack_stream(compression_of(file.get()), file_source(file.get(), blob_digest), directory,
                                       std::move(stop), plain_bytes_max);
  if (content.diff_id.empty()) content.diff_id = blob_digest;
  return content;
}

LayerContent unpack_stream(Compression compression, ByteSource blob, const std::filesystem::path& directory,
                           std::stop_token stop, std::int64_t plain_bytes_max) {
  const UniqueFd root = make_layer_directory(directory);
  if (compression == Compression::kNone) return {"", unpack_plain_layer(std::move(blob), root.get(), std::move(stop))};
  return unpack_layer(std::move(blob), root.get(), std::move(stop), plain_bytes_max);
}

Compression compression_of(const std::filesystem::path& file) {
  return compression_of(open_file(file, O_RDONLY).get());
}

bool looks_like_layer(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return false;
  if (compression_of(fd.get()) != Compression::kNone) return true;
  std::array<char, kTarMagic.size()> magic{};
  return ::pread(fd.get(), magic.data(), magic.size(), kTarMagicAt) == static_cast<ssize_t>(magic.size()) &&
         std::string_view(magic.data(), magic.size()) == kTarMagic;
}

}  // namespace quoll::mgr
