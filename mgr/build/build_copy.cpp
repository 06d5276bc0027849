// COPY and ADD.
#include <fcntl.h>
#include <sys/stat.h>

#include <charconv>
#include <memory>

#include "mgr/build/build_files.hpp"
#include "mgr/build/build_run.hpp"
#include "mgr/build/build_text.hpp"
#include "mgr/container/user_lookup.hpp"
#include "mgr/image/digest.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/registry/registry_service.hpp"
#include "task/blocking.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

[[noreturn]] void refuse(std::string message) { throw Error(ErrorClass::kInvalidArgument, std::move(message)); }

bool is_url(const std::string& source) { return source.starts_with("http://") || source.starts_with("https://"); }

bool is_git(const std::string& source) {
  return source.starts_with("git://") || source.starts_with("git@") || source.starts_with("ssh://") ||
         (is_url(source) && source.substr(0, source.find('#')).ends_with(".git"));
}

// "https://host/a/b.txt?c": b.txt. Where the URL has no name, the target is one.
std::string file_name_of(const std::string& url, const std::string& target) {
  std::string path = url.substr(0, url.find_first_of("?#"));
  path = path.substr(path.find("://") + 3);
  const auto slash = path.rfind('/');
  std::string name = slash == path.npos ? "" : path.substr(slash + 1);
  if (!name.empty() && name != "." && name != "..") return name;
  if (target.ends_with('/')) refuse("cannot determine filename for source " + url);
  return "__unnamed__";
}

// Does it; what goes wrong is told with `words` in front.
template <class F>
auto telling(const std::string& words, F&& f) {
  try {
    return f();
  } catch (const Error& error) {
    if (error.error_class() == ErrorClass::kCancelled) throw;
    throw Error(error.error_class(), words + ": " + error.message());
  }
}

// Who shall own what is copied; without a group, the group of that name or number.
TreeOwner owner_of(int root, const std::string& chown) {
  if (chown.empty()) return {0, 0};
  const std::string both = chown.find(':') == std::string::npos ? chown + ":" + chown : chown;
  const ContainerUser user = lookup_user("/proc/self/fd/" + std::to_string(root), both, {});
  return {user.uid, user.gid};
}

}  // namespace

// One file or directory to be copied.
struct BuildRun::Source {
  int root = -1;  // a directory's descriptor: of the context, of an image, of what was fetched
  std::string path;
  bool is_local = false;  // of the context
};

struct BuildRun::Copy {
  std::string name;                   // COPY or ADD
  std::vector<std::string> patterns;  // in `root`
  int root = -1;
  bool from_context = true;
  std::string from_image;                // the id, with --from
  std::unique_ptr<BuildRoot> from_root;  // its root
  std::vector<UniqueFd> fetched;         // directories of one file each
  std::vector<Source> sources;
  std::string target;  // as it is written
  std::string chown;
  std::string digest;  // "file:...", "dir:...", "multi:..."
};

task::Task<void> BuildRun::copy(const Instruction& instruction) {
  Copy copy = co_await plan_copy(instruction);
  co_await task::blocking([&](const std::stop_token& stop) { look_up(copy, stop); });
  const std::string comment = copy.name + " " + (copy.chown.empty() ? "" : "--chown=" + copy.chown + " ") +
                              copy.digest + " in " + copy.target + " ";
  const json key = made_by_comment(comment);
  const bool is_cached = co_await use_cached(key);
  co_await task::blocking([&](const std::stop_token& stop) {
    if (!is_cached) perform(copy, comment, key, stop);
    copy.from_root.reset();  // takes its files away
  });
}

task::Task<BuildRun::Copy> BuildRun::plan_copy(const Instruction& instruction) {
  Copy copy;
  copy.name = instruction.name;
  copy.root = context_.fd();
  std::vector<std::string> words;
  const bool is_list = instruction.list.has_value();
  for (const std::string& word : is_list ? *instruction.list : split_words(instruction.arguments, file_.escape)) {
    words.push_back(expand(word));
  }
  copy.target = words.back();
  words.pop_back();
  if (copy.target.empty()) refuse("the destination is empty");
  if (const std::string* chown = instruction.flag("chown")) copy.chown = expand(*chown);
  if (const std::string* from = instruction.flag("from")) {
    try {
      copy.from_image = co_await image_to_copy_from(*from);
    } catch (const Error& error) {
      throw Error(error.error_class(), "invalid from flag value " + *from + ": " + error.message());
    }
    copy.from_context = false;
  }
  for (std::string& word : words) {
    if (copy.name == "ADD" && is_git(word)) {
      throw Error(ErrorClass::kNotImplemented, "a repository as a source is not supported: " + word);
    }
    if (copy.name == "ADD" && is_url(word)) {
      co_await fetch(copy, word);
    } else {
      copy.patterns.push_back(std::move(word));
    }
  }
  co_return copy;
}

task::Task<std::string> BuildRun::image_to_copy_from(std::string name) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool is_number = error == std::errc() && end == name.data() + name.size();
  const std::size_t earlier = stages_.size() - 1;  // a stage does not copy from itself
  if (is_number) {
    if (number == earlier) refuse("refers to current build stage");
    if (number > earlier) refuse("index out of bounds");
    co_return stages_[number].image_id;
  }
  const Stage* stage = find_stage(name);
  if (stage != nullptr && stage != &stages_.back()) co_return stage->image_id;
  const Image image = co_await base_image(name, request_.platform);
  co_return image.id;
}

task::Task<void> BuildRun::fetch(Copy& copy, std::string url) {
  const std::string name = file_name_of(url, copy.target);
  const auto directory = context_.work() / ("fetched-" + std::to_string(++fetched_));
  UniqueFd fd = co_await task::blocking([&] {
    if (::mkdir(directory.c_str(), 0700) != 0) throw system_error(errno, "create " + directory.string());
    return open_file(directory, O_PATH | O_DIRECTORY);
  });
  co_await say("Downloading " + url + "\n");
  try {
    co_await means_.registry.download(url, directory / name);
  } catch (const Error& error) {
    throw Error(error.error_class(), copy.name + " failed: " + error.message());
  }
  copy.sources.push_back({fd.get(), name, false});
  copy.fetched.push_back(std::move(fd));
}

std::vector<std::string> BuildRun::paths_of(const Copy& copy, const std::string& pattern, const std::stop_token& stop) {
  try {
    return find_sources(copy.root, pattern, stop);
  } catch (const Error& error) {
    const bool is_missing = error.error_class() == ErrorClass::kNotFound && copy.from_context;
    throw Error(error.error_class(),
                copy.name +
                    " failed: " + (is_missing ? "file not found in build context or excluded by .dockerignore: " : "") +
                    error.message());
  }
}

void BuildRun::look_up(Copy& copy, const std::stop_token& stop) const {
  if (!copy.from_context) {
    copy.from_root = std::make_unique<BuildRoot>(means_.images, copy.from_image);
    copy.root = copy.from_root->fd();
  }
  for (const std::string& pattern : copy.patterns) {
    for (std::string& path : paths_of(copy, pattern, stop)) {
      copy.sources.push_back({copy.root, std::move(path), copy.from_context});
    }
  }
  if (copy.sources.empty()) refuse(copy.name + " failed: no source files were specified");
  if (copy.sources.size() > 1 && !copy.target.ends_with('/')) {
    refuse("When using " + copy.name +
           " with more than one source file, the destination must be a directory and end with a /");
  }
  std::vector<std::string> digests;
  for (const Source& source : copy.sources) {
    const char* kind = is_directory_in(source.root, source.path) ? "dir:" : "file:";
    digests.push_back(kind + digest_tree(source.root, source.path, stop));
  }
  copy.digest = digests.size() == 1 ? digests.front() : "multi:" + sha256_hex(joined(digests, ","));
}

void BuildRun::perform(const Copy& copy, const std::string& comment, const json& made_by, const std::stop_token& stop) {
  const Stage& stage = stages_.back();
  BuildRoot root(means_.images, stage.image_id);
  const std::string target = absolute_target(json_string(stage.config, "WorkingDir"), copy.target);
  CopyOptions options;
  // What comes from an image keeps its owners.
  if (copy.from_context || !copy.chown.empty()) {
    options.owner = telling("unable to convert uid/gid chown string to host mapping",
                            [&] { return owner_of(root.fd(), copy.chown); });
  }
  options.plain_bytes_max = means_.registry.plain_bytes_max();
  for (const Source& source : copy.sources) {
    options.unpack = copy.name == "ADD" && source.is_local;
    telling("failed to copy files", [&] { copy_into(source.root, source.path, root.fd(), target, options, stop); });
  }
  add_image(comment_text(comment), made_by, root.layer(stop), stop);
}

}  // namespace quoll::mgr
