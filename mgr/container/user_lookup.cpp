#include "mgr/container/user_lookup.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>

#include "task/error.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {
namespace {

constexpr uint32_t kIdMax = 0x7fffffff;

// The fields of one line of an account file, or of one of its lists.
std::vector<std::string_view> fields_of(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  for (;;) {
    const size_t end = line.find(separator);
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

std::optional<uint32_t> number_of(std::string_view text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > kIdMax) return std::nullopt;
  return number;
}

bool is_all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

[[noreturn]] void refuse(std::string message) { throw Error(ErrorClass::kInvalidArgument, std::move(message)); }

struct PasswdEntry {
  std::string_view name;
  uint32_t uid, gid;
  std::string_view home;
};

struct GroupEntry {
  std::string_view name;
  uint32_t gid;
  std::vector<std::string_view> members;
};

// Calls `f` for each entry until it returns true; damaged lines are passed over, as the C library does.
template <typename F>
void for_each_user(std::string_view passwd, F f) {
  for (const std::string_view line : fields_of(passwd, '\n')) {
    const std::vector<std::string_view> fields = fields_of(line, ':');
    if (fields.size() < 6 || fields[0].empty() || fields[0][0] == '#') continue;
    const auto uid = number_of(fields[2]), gid = number_of(fields[3]);
    if (uid && gid && f(PasswdEntry{fields[0], *uid, *gid, fields[5]})) return;
  }
}

template <typename F>
void for_each_group(std::string_view group, F f) {
  for (const std::string_view line : fields_of(group, '\n')) {
    const std::vector<std::string_view> fields = fields_of(line, ':');
    if (fields.size() < 4 || fields[0].empty() || fields[0][0] == '#') continue;
    const auto gid = number_of(fields[2]);
    if (gid && f(GroupEntry{fields[0], *gid, fields_of(fields[3], ',')})) return;
  }
}

std::optional<PasswdEntry> find_entry(std::string_view passwd, std::string_view user) {
  std::optional<PasswdEntry> by_name, by_number;
  const std::optional<uint32_t> number = number_of(user);
  for_each_user(passwd, [&](const PasswdEntry& entry) {
    if (entry.name == user) by_name = entry;
    if (number && entry.uid == *number && !by_number) by_number = entry;
    return by_name.has_value();
  });
  return by_name ? by_name : by_number;
}

uint32_t find_gid(std::string_view group_file, std::string_view group) {
  std::optional<uint32_t> gid;
  for_each_group(group_file, [&](const GroupEntry& entry) {
    if (entry.name == group) gid = entry.gid;
    return gid.has_value();
  });
  if (gid) return *gid;
  if (const auto number = number_of(group)) return *number;
  if (is_all_digits(group)) refuse("uids and gids must be in range 0-2147483647");
  refuse("unable to find group " + std::string(group) + ": no matching entries in group file");
}

void add_once(std::vector<uint32_t>& gids, uint32_t gid) {
  if (std::find(gids.begin(), gids.end(), gid) == gids.end()) gids.push_back(gid);
}

// The place of `path` below `rootfs`, not opened yet. RESOLVE_IN_ROOT makes the kernel treat `rootfs` as "/" for the
// whole walk, races with a running container included.
UniqueFd find_inside(const std::string& rootfs, const char* path) {
  const UniqueFd root(::open(rootfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) throw system_error(errno, "open root " + rootfs);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  UniqueFd place(static_cast<int>(::syscall(SYS_openat2, root.get(), path, &how, sizeof how)));
  if (!place && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
    throw system_error(errno, "find " + std::string(path) + " of the container");
  }
  return place;
}

std::string read_all(int fd, const char* path) {
  std::string text;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error(errno, "read " + std::string(path) + " of the container");
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(got));
    if (text.size() > kAccountFileMax) {
      throw Error(ErrorClass::kResourceExhausted, std::string(path) + " of the container is too large");
    }
  }
}

std::string read_inside(const std::string& rootfs, const char* path) {
  const UniqueFd place = find_inside(rootfs, path);
  if (!place) return {};
  struct stat info{};
  if (::fstat(place.get(), &info) != 0) throw system_error(errno, "stat " + std::string(path) + " of the container");
  // Opening a fifo would block, and opening a device may do something: only now that it is neither is it opened.
  if (!S_ISREG(info.st_mode)) return {};
  const std::string self = "/proc/self/fd/" + std::to_string(place.get());
  const UniqueFd file(::open(self.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw system_error(errno, "open " + std::string(path) + " of the container");
  return read_all(file.get(), path);
}

}  // namespace

ContainerUser find_user(std::string_view user, const std::vector<std::string>& group_add, std::string_view passwd,
                        std::string_view group) {
  const size_t colon = user.find(':');
  const std::string_view group_part = colon == std::string_view::npos ? "" : user.substr(colon + 1);
  std::string_view name = user.substr(0, colon);
  if (name.empty()) name = "0";

  ContainerUser found;
  const std::optional<PasswdEntry> entry = find_entry(passwd, name);
  if (entry) {
    found.uid = entry->uid;
    found.gid = entry->gid;
    if (!entry->home.empty()) found.home = entry->home;
    name = entry->name;
  } else if (const auto number = number_of(name)) {
    found.uid = *number;
  } else if (is_all_digits(name)) {
    refuse("uids and gids must be in range 0-2147483647");
  } else {
    refuse("unable to find user " + std::string(name) + ": no matching entries in passwd file");
  }
  if (!group_part.empty()) found.gid = find_gid(group, group_part);
  // The primary group is listed too: else a process could drop it, and pass a file that denies that group.
  found.additional_gids.push_back(found.gid);
  if (group_part.empty() && entry) {
    for_each_group(group, [&](const GroupEntry& line) {
      if (std::find(line.members.begin(), line.members.end(), name) != line.members.end()) {
        add_once(found.additional_gids, line.gid);
      }
      return false;
    });
  }
  for (const std::string& extra : group_add) add_once(found.additional_gids, find_gid(group, extra));
  return found;
}

ContainerUser lookup_user(const std::string& rootfs, std::string_view user, const std::vector<std::string>& group_add) {
  return find_user(user, group_add, read_inside(rootfs, "etc/passwd"), read_inside(rootfs, "etc/group"));
}

}  // namespace quoll::mgr
