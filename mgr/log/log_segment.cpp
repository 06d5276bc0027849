#include "mgr/log/log_segment.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <utility>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

struct stat stat_of(int fd) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0) throw system_error(errno, "stat of an open log file");
  return status;
}

// Nothing when the name is absent, or is no regular file: a log directory may hold what an operator left there.
UniqueFd open_log_file(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) {
    if (errno == ENOENT || errno == ELOOP || errno == ENXIO) return {};
    throw system_error(errno, "open " + path);
  }
  if (!S_ISREG(stat_of(file.get()).st_mode)) return {};
  return file;
}

// N of "log.N" as rotation writes it; 0 for every other name.
unsigned rotation_number(std::string_view file_name, std::string_view log_name) {
  if (!file_name.starts_with(log_name)) return 0;
  file_name.remove_prefix(log_name.size());
  if (file_name.size() < 2 || file_name[0] != '.' || file_name[1] == '0') return 0;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(file_name.data() + 1, file_name.data() + file_name.size(), number);
  return error == std::errc() && end == file_name.data() + file_name.size() ? number : 0;
}

std::vector<unsigned> rotation_numbers(const std::string& directory, std::string_view log_name) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), ::closedir);
  if (!entries) throw system_error(errno, "open log directory " + directory);
  std::vector<unsigned> numbers;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (const unsigned number = rotation_number(entry->d_name, log_name)) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

// A reader that stood still may be the last to hold a long chain. Its segments fall one after the other from this loop,
// not one inside the other, so that the chain's length is not the depth of the stack.
LogSegment::~LogSegment() {
  thread_local std::shared_ptr<LogSegment>* following = nullptr;
  if (following) {
    *following = std::move(next_);
    return;
  }
  std::shared_ptr<LogSegment> rest = std::move(next_);
  following = &rest;
  while (rest) {
    std::shared_ptr<LogSegment> dying = std::move(rest);
    dying.reset();
  }
  following = nullptr;
}

std::uint64_t LogSegment::size() const { return file_ ? static_cast<std::uint64_t>(stat_of(file_.get()).st_size) : 0; }

std::size_t LogSegment::read_at(std::uint64_t offset, std::span<char> buffer) const {
  std::size_t done = 0;
  while (file_ && done < buffer.size()) {
    const ssize_t count =
        ::pread(file_.get(), buffer.data() + done, buffer.size() - done, static_cast<off_t>(offset + done));
    if (count == 0) break;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw system_error(errno, "read of a log file");
    done += static_cast<std::size_t>(count);
  }
  return done;
}

bool LogSegment::is_file(dev_t device, ino_t inode) const {
  if (!file_) return false;
  const struct stat status = stat_of(file_.get());
  return status.st_dev == device && status.st_ino == inode;
}

void LogSegment::set_next(std::shared_ptr<LogSegment> next) {
  next_ = std::move(next);
  final_.store(true, std::memory_order_release);
}

LogFiles::LogFiles(std::string directory, std::string name) : directory_(std::move(directory)), name_(std::move(name)) {
  open_existing();
}

void LogFiles::open_existing() {
  std::vector<unsigned> numbers = rotation_numbers(directory_, name_);
  std::sort(numbers.rbegin(), numbers.rend());
  numbers.push_back(0);
  std::uint64_t generation = 1;
  for (const unsigned number : numbers) {
    UniqueFd file = open_log_file(path(number));
    if (!file) continue;
    auto segment = std::make_shared<LogSegment>(generation++, std::move(file));
    if (!files_.empty()) files_.back().segment->set_next(segment);
    files_.push_back({std::move(segment), number});
  }
  if (files_.empty()) files_.push_back({std::make_shared<LogSegment>(0, UniqueFd()), 0});
}

std::vector<std::shared_ptr<LogSegment>> LogFiles::segments() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<LogSegment>> segments;
  for (const File& file : files_) segments.push_back(file.segment);
  return segments;
}

std::shared_ptr<LogSegment> LogFiles::oldest() const {
  const std::lock_guard lock(mutex_);
  return files_.front().segment;
}

std::shared_ptr<LogSegment> LogFiles::current() const {
  const std::lock_guard lock(mutex_);
  return files_.back().segment;
}

bool LogFiles::awaiting_file() const {
  const std::lock_guard lock(mutex_);
  return files_.back().number != 0;
}

LogFiles::Rotation LogFiles::rotate(unsigned max_files, const std::function<void()>& reopen) {
  if (max_files == 0) throw Error(ErrorClass::kInvalidArgument, "log of " + directory_ + ": no files to be kept");
  {
    const std::lock_guard lock(mutex_);
    adopt_new_locked();
    const bool nothing_written = !files_.back().segment->file_;
    if (nothing_written || files_.back().number != 0) return Rotation::kAwaitingFile;
    files_max_ = max_files;
    // The monitor writes to the renamed file until it reopens, so one is kept even where none will be: adopt_new()
    // drops it.
    make_room(std::max(1U, max_files - 1));
    move_file(files_.back(), 1);
  }
  reopen();
  return Rotation::kRotated;
}

bool LogFiles::adopt_new() {
  const std::lock_guard lock(mutex_);
  return adopt_new_locked();
}

bool LogFiles::adopt_new_locked() {
  struct stat named = {};
  const std::shared_ptr<LogSegment> last = files_.back().segment;
  if (::lstat(path(0).c_str(), &named) != 0 || last->is_file(named.st_dev, named.st_ino)) return false;
  UniqueFd file = open_log_file(path(0));
  if (!file) return false;
  const auto segment = std::make_shared<LogSegment>(last->generation() + 1, std::move(file));
  // A last file that has no name of its own (none was there, or it was replaced) is reached by its readers only.
  if (files_.back().number == 0) files_.pop_back();
  files_.push_back({segment, 0});
  last->set_next(segment);
  if (files_max_ == 1) {
    for (; files_.size() > 1; files_.erase(files_.begin())) ::unlink(path(files_.front().number).c_str());
  }
  return true;
}

// Frees the name log.1, with at most `rotated_max` rotated files when the current one has taken it. The names move up
// one by one from the first gap downwards: whenever this is cut short, each file still has one name and the order is
// right.
void LogFiles::make_room(unsigned rotated_max) {
  const auto with_number = [this](unsigned number) {
    return std::find_if(files_.begin(), files_.end(), [number](const File& file) { return file.number == number; });
  };
  while (files_.size() > 1 && files_.front().number > rotated_max) {
    ::unlink(path(files_.front().number).c_str());
    files_.erase(files_.begin());
  }
  unsigned gap = 1;
  while (gap < rotated_max && with_number(gap) != files_.end()) ++gap;
  for (unsigned number = gap; number-- > 1;) move_file(*with_number(number), number + 1);
}

// Gives the file another name, and drops the one that had it.
void LogFiles::move_file(File& file, unsigned number) {
  if (::rename(path(file.number).c_str(), path(number).c_str()) != 0 && errno != ENOENT) {
    throw system_error(errno, "rename " + path(file.number));
  }
  const LogSegment* moved = file.segment.get();
  std::erase_if(files_, [&](const File& other) { return other.number == number && other.segment.get() != moved; });
  std::find_if(files_.begin(), files_.end(), [&](const File& kept) { return kept.segment.get() == moved; })->number =
      number;
}

bool LogFiles::end_torn_record() {
  const UniqueFd file(::open(path(0).c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
  if (!file) {
    if (errno == ENOENT) return false;
    throw system_error(errno, "open " + path(0));
  }
  const off_t size = stat_of(file.get()).st_size;
  char last = '\n';
  if (size == 0 || ::pread(file.get(), &last, 1, size - 1) != 1 || last == '\n') return false;
  if (::write(file.get(), "\n", 1) != 1) throw system_error(errno, "write " + path(0));
  return true;
}

std::string LogFiles::path(unsigned number) const {
  std::string path = directory_ + "/" + name_;
  if (number != 0) path += "." + std::to_string(number);
  return path;
}

}  // namespace quoll::mgr
