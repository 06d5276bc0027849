#include "mgr/build/build_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>

#include "mgr/build/dockerignore.hpp"
#include "mgr/build/path_pattern.hpp"
#include "mgr/files/container_copy.hpp"
#include "mgr/files/inode.hpp"
#include "mgr/files/path_stat.hpp"
#include "mgr/files/tree_archive.hpp"
#include "mgr/image/digest.hpp"
#include "mgr/image/layer_unpacker.hpp"
#include "mgr/image/remove_tree.hpp"
#include "mgr/image/tar_reader.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kChunkBytes = 128 * 1024;

std::string join(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent + "/" + name;
}

struct Found {
  int parent;  // an open directory
  std::string name;
  std::string path;
  struct stat status;
};
// Returns whether to go into a directory.
using Visitor = std::function<bool(const Found&)>;

// Everything below an open directory, in the order of names. Links are not followed. `leave` comes behind what is in a
// directory.
void walk(int directory, const std::string& path, std::size_t depth, const Visitor& visit,
          const std::function<void(const Found&)>& leave, const std::stop_token& stop) {
  if (depth > TreeArchive::kDepthMax) {
    throw Error(ErrorClass::kInvalidArgument, path + ": directories nested too deeply");
  }
  for (const std::string& name : names_in(directory)) {
    throw_if_stopped(stop);
    Found found{directory, name, join(path, name), {}};
    if (::fstatat(directory, name.c_str(), &found.status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!visit(found) || !S_ISDIR(found.status.st_mode)) continue;
    const UniqueFd child(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child) throw system_error(errno, "open directory " + found.path);
    walk(child.get(), found.path, depth + 1, visit, leave, stop);
    if (leave) leave(found);
  }
}

[[noreturn]] void no_such_source(const std::string& pattern) {
  throw Error(ErrorClass::kNotFound, "stat " + pattern + ": file does not exist");
}

UniqueFd open_top(int root) { return reopen(root, O_RDONLY | O_DIRECTORY); }

// --- Digests ---------------------------------------------------------------------------------------------------------

void add_text(Sha256& digest, const std::string& text) { digest.update(std::to_string(text.size()) + ":" + text); }

void add_content(Sha256& digest, int place, const std::stop_token& stop) {
  const UniqueFd file = reopen(place, O_RDONLY);
  const ByteSource source = file_source(file.get(), "build context");
  std::vector<char> buffer(kChunkBytes);
  while (const std::size_t got = source(buffer)) {
    throw_if_stopped(stop);
    digest.update(std::span(buffer).first(got));
  }
}

void add_file(Sha256& digest, int place, const std::string& path, const std::stop_token& stop) {
  const struct stat status = status_of(place);
  add_text(digest, path);
  add_text(digest, std::to_string(status.st_mode));
  add_text(digest, std::to_string(status.st_uid) + ":" + std::to_string(status.st_gid));
  if (S_ISLNK(status.st_mode)) add_text(digest, read_link(place));
  if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) add_text(digest, std::to_string(status.st_rdev));
  for (const auto& [name, value] : read_attributes(place)) add_text(digest, name + "=" + value);
  if (!S_ISREG(status.st_mode)) return;
  add_text(digest, std::to_string(status.st_size));
  add_content(digest, place, stop);
}

// --- Copies ----------------------------------------------------------------------------------------------------------

// Returns the clean path with its links resolved.
std::string make_directory(int root, const std::string& path, const TreeOwner& owner) {
  const std::string clean = clean_archive_path(resolve_in_root(root, path)).value_or("");
  for (std::size_t begin = 0, end = 0; end != clean.npos && !clean.empty(); begin = end + 1) {
    end = clean.find('/', begin);
    const std::string made = clean.substr(0, end);
    if (find_in_root(root, made, true)) continue;
    const UniqueFd fd = make_directories_in_root(root, made);
    if (::fchown(fd.get(), static_cast<uid_t>(owner.uid), static_cast<gid_t>(owner.gid)) != 0) {
      throw system_error(errno, "set owner of " + made);
    }
  }
  return clean;
}

void extract(int root, const std::string& directory, const ExtractOptions& options, ByteSource tar,
             const std::stop_token& stop) {
  if (!extract_in_root(root, "/" + directory, options, std::move(tar), stop)) {
    throw Error(ErrorClass::kInvalidArgument, "/" + directory + ": no such directory");
  }
}

}  // namespace

void apply_dockerignore(int context, std::string_view text, const std::stop_token& stop) {
  const DockerIgnore ignore(text);
  if (ignore.empty()) return;
  const UniqueFd top = open_top(context);
  const Visitor visit = [&](const Found& found) {
    if (!ignore.ignores(found.path, stop)) return true;
    if (S_ISDIR(found.status.st_mode) && ignore.has_exceptions()) return true;
    remove_tree_at(found.parent, found.name.c_str());
    return false;
  };
  // An ignored directory stays for the exceptions in it only.
  const auto leave = [&](const Found& found) {
    if (ignore.ignores(found.path, stop)) ::unlinkat(found.parent, found.name.c_str(), AT_REMOVEDIR);
  };
  walk(top.get(), "", 0, visit, leave, stop);
}

std::vector<std::string> find_sources(int root, const std::string& pattern, const std::stop_token& stop) {
  const auto clean = clean_archive_path(pattern);
  if (!clean) {
    throw Error(ErrorClass::kInvalidArgument, "forbidden path outside the build context: " + pattern + " ()");
  }
  std::vector<std::string> found;
  const auto add = [&](const std::string& path) {
    if (!find_in_root(root, path, true)) no_such_source(path);
    found.push_back(path);
  };
  if (!is_pattern(*clean)) {
    add(*clean);
    return found;
  }
  const auto wanted = PathPattern::parse(*clean, PathPattern::DoubleStar::kStar);
  if (!wanted) return found;
  const UniqueFd top = open_top(root);
  const Visitor visit = [&](const Found& each) {
    if (wanted->fits(each.path)) add(each.path);
    return true;
  };
  walk(top.get(), "", 0, visit, nullptr, stop);
  return found;
}

bool is_tar(int file) {
  const UniqueFd own = reopen(file, O_RDONLY);
  try {
    TarReader reader(file_source(own.get(), "build context"), OuterCompression::kAny);
    return reader.next();
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kInvalidArgument) throw;
    return false;
  }
}

bool is_directory_in(int root, const std::string& path) {
  const UniqueFd place = find_in_root(root, path, true);
  return place && S_ISDIR(status_of(place.get()).st_mode);
}

std::string digest_tree(int root, const std::string& path, const std::stop_token& stop) {
  Sha256 digest;
  const UniqueFd top = find_in_root(root, path, true);
  if (!top) no_such_source(path);
  const bool is_directory = S_ISDIR(status_of(top.get()).st_mode);
  add_file(digest, top.get(), is_directory ? "" : split_path(path).name, stop);
  if (is_directory) {
    const Visitor visit = [&](const Found& found) {
      const UniqueFd place(::openat(found.parent, found.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
      if (place) add_file(digest, place.get(), found.path, stop);
      return true;
    };
    walk(open_top(top.get()).get(), "", 0, visit, nullptr, stop);
  }
  return digest.finish_hex();
}

BuildRoot::BuildRoot(const ImageStore& store, const std::string& image_id) : work_(store.layout().layers_work) {
  RootSource source;
  source.directory = work_.path();
  const auto make = [this](const char* name) {
    const auto path = work_.path() / name;
    if (::mkdir(path.c_str(), 0755) != 0) throw system_error(errno, "create " + path.string());
    if (::chmod(path.c_str(), 0755) != 0) throw system_error(errno, "set mode of " + path.string());
    return path;
  };
  const auto upper = make("upper");
  make("work");
  if (!image_id.empty()) source.layers = store.layer_directories(image_id);
  // An overlay needs a layer below.
  if (source.layers.empty()) source.layers.push_back(make("empty"));
  // The root's own mode and owner are those of the topmost layer.
  struct stat status{};
  if (::stat(source.layers.front().c_str(), &status) != 0) throw system_error(errno, "stat a layer");
  if (::chown(upper.c_str(), status.st_uid, status.st_gid) != 0 ||
      ::chmod(upper.c_str(), status.st_mode & 07777) != 0) {
    throw system_error(errno, "set owner and mode of a build's root");
  }
  root_.emplace(ContainerRoot::open(source));
}

ByteSource BuildRoot::layer(std::stop_token stop) const {
  return layer_of_directory(work_.path() / "upper", std::move(stop));
}

ByteSource layer_of_directory(const std::filesystem::path& upper, std::stop_token stop) {
  return tree_source(open_file(upper, O_PATH | O_DIRECTORY), {.layer = true}, std::move(stop));
}

ByteSource bounded_plain_source(ByteSource source, std::int64_t bytes_max, std::string what) {
  auto plain = std::make_shared<AnyDecompressor>(std::move(source));
  return [plain, bytes_max, left = bytes_max, what = std::move(what)](std::span<char> buffer) mutable {
    const std::size_t got = plain->read(buffer);
    left -= static_cast<std::int64_t>(got);
    if (left < 0) {
      throw Error(ErrorClass::kResourceExhausted, what + ": larger than " + std::to_string(bytes_max) + " bytes");
    }
    return got;
  };
}

void make_directory_in(int root, const std::string& path, const TreeOwner& owner) {
  const std::string clean = make_directory(root, path, owner);
  if (!is_directory_in(root, clean))
    throw Error(ErrorClass::kInvalidArgument, "Cannot mkdir: " + path + " is not a directory");
}

void copy_into(int from, const std::string& source, int to, const std::string& target, const CopyOptions& options,
               const std::stop_token& stop) {
  UniqueFd place = find_in_root(from, source, true);
  if (!place) no_such_source(source);
  const mode_t mode = status_of(place.get()).st_mode;
  const TreeOwner directory_owner = options.owner.value_or(TreeOwner{0, 0});
  if (options.unpack && S_ISREG(mode) && is_tar(place.get())) {
    const std::string directory = make_directory(to, target, directory_owner);
    const UniqueFd file = reopen(place.get(), O_RDONLY);
    ByteSource plain = bounded_plain_source(file_source(file.get(), source), options.plain_bytes_max, source);
    return extract(to, directory, {}, std::move(plain), stop);
  }
  TreeArchiveOptions archive;
  std::string directory = target;
  if (!S_ISDIR(mode)) {
    archive.top_name = split_path(source).name;
    if (!target.ends_with('/') && !is_directory_in(to, target)) {
      const SplitPath split = split_path(clean_archive_path(resolve_in_root(to, target)).value_or(""));
      archive.top_name = split.name;
      directory = split.parent;
    }
  }
  directory = make_directory(to, directory, directory_owner);
  ExtractOptions extraction;
  extraction.owner = options.owner;
  extract(to, directory, extraction, tree_source(std::move(place), std::move(archive), stop), stop);
}

}  // namespace quoll::mgr
