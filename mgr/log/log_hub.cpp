#include "mgr/log/log_hub.hpp"

#include <spdlog/spdlog.h>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

// The end of the chunk that begins at `offset`: far enough that any record fits before it.
std::uint64_t grid_end(std::uint64_t offset) {
  constexpr std::uint64_t kGrid = LogHub::kGridBytes;
  return (offset + kGrid / 2 + kGrid - 1) / kGrid * kGrid;
}

std::span<char> thread_buffer() {
  thread_local auto buffer = std::make_unique_for_overwrite<char[]>(kLogReadBytes);
  return {buffer.get(), kLogReadBytes};
}

}  // namespace

LogHub::LogHub(std::string directory, LogLimits limits, std::function<void()> reopen)
    : directory_(directory), limits_(limits), reopen_(std::move(reopen)), files_(std::move(directory)) {}

std::shared_ptr<const LogChunk> LogHub::cached(const LogPosition& position, const LogVariant& variant) const {
  std::lock_guard lock(mutex_);
  for (auto entry = cache_.rbegin(); entry != cache_.rend(); ++entry) {
    const LogPosition& begin = entry->chunk->begin;
    if (begin.offset == position.offset && begin.segment == position.segment && begin.partial == position.partial &&
        entry->variant == variant) {
      return entry->chunk;
    }
  }
  return nullptr;
}

std::shared_ptr<const LogChunk> LogHub::read(const LogPosition& position, const LogVariant& variant, bool align) const {
  LogReader reader(position);
  const LogPosition limit{position.segment, grid_end(position.offset), {}};
  // The limit only holds in the segment where the chunk begins; at that segment's end the reader goes on in the next.
  const bool more_here = align && position.segment->size() > limit.offset;
  const std::string_view records = reader.read(thread_buffer(), more_here ? &limit : nullptr);
  // Garbage without a line's end moves the position and gives nothing: an empty chunk then.
  if (records.empty() && reader.position() == position) return nullptr;
  auto chunk = std::make_shared<LogChunk>();
  LogEncoder encoder(variant.filter, variant.framing, position.partial);
  encoder.encode(records, chunk->bytes);
  reader.set_partial(encoder.partial());
  chunk->begin = position;
  chunk->end = reader.position();
  chunk->until_passed = encoder.until_passed();
  return chunk;
}

void LogHub::share(std::shared_ptr<const LogChunk> chunk, const LogVariant& variant) {
  std::lock_guard lock(mutex_);
  if (followers_.size() < 2) return;
  cache_bytes_ += chunk->bytes.size();
  cache_.push_back({variant, std::move(chunk)});
  while (cache_bytes_ > kCacheBytes || cache_.size() > 256) {
    cache_bytes_ -= cache_.front().chunk->bytes.size();
    cache_.pop_front();
  }
}

std::uint64_t LogHub::next_key() {
  std::lock_guard lock(mutex_);
  return next_key_++;
}

void LogHub::add_follower(task::Sender<Growth> follower, std::uint64_t key) {
  std::lock_guard lock(mutex_);
  if (closed_) {
    follower.close();
    return;
  }
  followers_.push_back({key, std::move(follower)});
}

void LogHub::remove_follower(std::uint64_t key) {
  std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(followers_.begin(), followers_.end(), [key](const Follower& f) { return f.key == key; });
  if (found == followers_.end()) return;
  *found = std::move(followers_.back());
  followers_.pop_back();
  if (followers_.empty()) {
    std::vector<Follower>().swap(followers_);
    std::deque<Cached>().swap(cache_);
    cache_bytes_ = 0;
  }
}

void LogHub::on_change() {
  files_.adopt_new();
  rotate_if_full();
  tell_followers();
}

void LogHub::rotate_if_full() {
  if (!rotates() || ended()) return;
  if (files_.current()->size() < static_cast<std::uint64_t>(limits_.max_size)) return;
  try {
    files_.rotate(limits_.max_files, reopen_);
  } catch (const Error& error) {
    spdlog::error("log {}: rotate: {}", directory_, error.message());
  }
}

void LogHub::tell_followers() {
  std::lock_guard lock(mutex_);
  for (const Follower& follower : followers_) {
    Growth growth;
    follower.sender.try_send(growth);  // no room: a word is on its way already
  }
}

void LogHub::set_live() {
  files_.adopt_new();
  std::lock_guard lock(mutex_);
  ended_ = false;
}

void LogHub::set_ended() {
  files_.adopt_new();
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
  }
  tell_followers();
}

bool LogHub::ended() const {
  std::lock_guard lock(mutex_);
  return ended_;
}

void LogHub::release() {
  {
    std::lock_guard lock(mutex_);
    released_ = true;
  }
  close();
}

bool LogHub::released() const {
  std::lock_guard lock(mutex_);
  return released_;
}

void LogHub::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  for (const Follower& follower : followers_) follower.sender.close();
}

}  // namespace quoll::mgr
