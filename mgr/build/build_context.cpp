#include "mgr/build/build_context.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "mgr/build/build_files.hpp"
#include "mgr/files/container_copy.hpp"
#include "mgr/files/inode.hpp"
#include "mgr/image/rooted_path.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kTextMax = 1024 * 1024;  // of a Dockerfile or a .dockerignore

// A regular file's text; nothing where there is no such file.
std::optional<std::string> read_text(int root, const std::string& path) {
  const UniqueFd place = find_in_root(root, path, true);
  if (!place || !S_ISREG(status_of(place.get()).st_mode)) return std::nullopt;
  return read_file("/proc/self/fd/" + std::to_string(place.get()), kTextMax);
}

UniqueFd make_top(const std::filesystem::path& work) {
  const auto path = work / "context";
  if (::mkdir(path.c_str(), 0755) != 0) throw system_error(errno, "create " + path.string());
  return open_file(path, O_PATH | O_DIRECTORY);
}

}  // namespace

BuildContext::BuildContext(const ImageStore& store) : work_(store.layout().layers_work), top_(make_top(work_.path())) {}

void BuildContext::unpack(const ByteSource& body, std::int64_t plain_bytes_max, const std::stop_token& stop) {
  ExtractOptions options;
  options.owner = TreeOwner{0, 0};
  extract_in_root(fd(), "/", options, bounded_plain_source(body, plain_bytes_max, "build context"), stop);
}

void BuildContext::take_file(const std::filesystem::path& file, std::int64_t plain_bytes_max,
                             const std::stop_token& stop) {
  const UniqueFd fd = open_file(file, O_RDONLY);
  if (is_tar(fd.get())) {
    unpack(file_source(fd.get(), "build context"), plain_bytes_max, stop);
  } else {
    dockerfile_ = read_file(file, kTextMax);
  }
}

// Under Docker's own name it may be written in lower case too.
std::string BuildContext::take_dockerfile(const std::string& name, const std::stop_token& stop) {
  if (!dockerfile_.empty()) return dockerfile_;
  const auto clean = clean_archive_path(name);
  if (!clean) {
    throw Error(ErrorClass::kInvalidArgument, "Forbidden path outside the build context: " + name);
  }
  auto text = read_text(fd(), *clean);
  if (!text && *clean == "Dockerfile") text = read_text(fd(), "dockerfile");
  if (!text) throw Error(ErrorClass::kInvalidArgument, "Cannot locate specified Dockerfile: " + name);
  if (text->empty()) throw Error(ErrorClass::kInvalidArgument, "the Dockerfile (" + name + ") cannot be empty");
  if (const auto ignore = read_text(fd(), ".dockerignore")) apply_dockerignore(fd(), *ignore, stop);
  return *text;
}

}  // namespace quoll::mgr
