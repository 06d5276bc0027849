#include "task/process_spawn.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "task/error.hpp"
#include "task/unique_fd.hpp"

namespace quoll::task {
namespace {

void check(int error, const std::string& what) {
  if (error != 0) throw system_error(error, what);
}

// What the child does before it becomes the program, in order.
class FileActions {
 public:
  FileActions() { check(::posix_spawn_file_actions_init(&actions_), "prepare process"); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  void change_directory(int directory) {
    check(::posix_spawn_file_actions_addfchdir_np(&actions_, directory), "prepare process");
  }
  void open_null(int target) {
    const int mode = target == STDIN_FILENO ? O_RDONLY : O_WRONLY;
    check(::posix_spawn_file_actions_addopen(&actions_, target, "/dev/null", mode, 0), "prepare process");
  }
  // Where both are the same, it clears the child's close-on-exec flag.
  void duplicate(int source, int target) {
    check(::posix_spawn_file_actions_adddup2(&actions_, source, target), "prepare process");
  }
  void close_one(int target) { check(::posix_spawn_file_actions_addclose(&actions_, target), "prepare process"); }
  void close_from(int first) { check(::posix_spawn_file_actions_addclosefrom_np(&actions_, first), "prepare process"); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  explicit Attributes(const ProcessOptions& options) {
    check(::posix_spawnattr_init(&attributes_), "prepare process");
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (options.new_process_group) flags |= POSIX_SPAWN_SETPGROUP;  // with id 0, the default: its own pid
    if (options.new_session) flags |= POSIX_SPAWN_SETSID;
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_, flags);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

struct Mapping {
  int ours;  // -1: /dev/null
  int theirs;
};

// Puts each descriptor at its number and nothing else. `copies` keeps what the child copies from, until it has.
void arrange_descriptors(const ProcessOptions& options, FileActions& actions, std::vector<UniqueFd>& copies) {
  std::vector<Mapping> all = {{options.standard_input, STDIN_FILENO},
                              {options.standard_output, STDOUT_FILENO},
                              {options.standard_error, STDERR_FILENO}};
  for (const auto& [ours, theirs] : options.inherited_fds) all.push_back({ours, theirs});
  std::sort(all.begin(), all.end(), [](const Mapping& a, const Mapping& b) { return a.theirs < b.theirs; });
  const int last = all.back().theirs;
  // A source among the targets would be overwritten before its turn: copy it out of the way.
  for (Mapping& fd : all) {
    if (fd.ours < 0 || fd.ours == fd.theirs || fd.ours > last) continue;
    copies.emplace_back(::fcntl(fd.ours, F_DUPFD_CLOEXEC, last + 1));
    if (!copies.back()) throw system_error(errno, "copy descriptor");
    fd.ours = copies.back().get();
  }
  for (const Mapping& fd : all) {
    if (fd.ours >= 0) {
      actions.duplicate(fd.ours, fd.theirs);
    } else {
      actions.open_null(fd.theirs);
    }
  }
  for (std::size_t i = 1; i < all.size(); ++i) {
    for (int gap = all[i - 1].theirs + 1; gap < all[i].theirs; ++gap) actions.close_one(gap);
  }
  actions.close_from(last + 1);
}

// A process may be started with SIGCHLD ignored; its children's exit statuses would then be lost.
void keep_exit_statuses() {
  struct sigaction action{};
  if (::sigaction(SIGCHLD, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) ::signal(SIGCHLD, SIG_DFL);
}

pid_t spawn(const ProcessOptions& options) {
  FileActions actions;
  UniqueFd directory;
  if (!options.working_directory.empty()) {
    directory.reset(::open(options.working_directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) throw system_error(errno, "change to directory " + options.working_directory);
    actions.change_directory(directory.get());
  }
  std::vector<UniqueFd> copies;
  arrange_descriptors(options, actions, copies);
  const Attributes attributes(options);
  const auto argv = pointers_to(options.argv);
  const auto env = options.env ? pointers_to(*options.env) : std::vector<char*>();
  keep_exit_statuses();
  pid_t pid = 0;
  const int error =
      ::posix_spawnp(&pid, argv[0], actions.get(), attributes.get(), argv.data(), options.env ? env.data() : environ);
  if (error != 0) throw system_error(error, "start");
  return pid;
}

}  // namespace

pid_t spawn_process(const ProcessOptions& options) {
  if (options.argv.empty()) throw Error(ErrorClass::kInvalidArgument, "start a process: no program is named");
  try {
    return spawn(options);
  } catch (const Error& error) {
    throw Error(error.error_class(), options.argv[0] + ": " + error.message());
  }
}

}  // namespace quoll::task
