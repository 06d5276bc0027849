#include "mgr/log/log_reader.hpp"

#include <string.h>

#include <algorithm>
#include <cassert>
#include <memory>

namespace quoll::mgr {

std::string_view LogReader::read(std::span<char> buffer, const LogPosition* limit) {
  assert(buffer.size() >= kLogReadBytesMin);
  for (;;) {
    const std::shared_ptr<LogSegment> next = position_.segment->next();  // before the read: see LogSegment::next()
    std::size_t wanted = buffer.size();
    if (limit) {
      if (*limit <= position_) return {};
      if (limit->segment == position_.segment) {
        wanted = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, limit->offset - position_.offset));
      }
    }
    const std::size_t got = position_.segment->read_at(position_.offset, buffer.first(wanted));
    if (const void* newline = ::memrchr(buffer.data(), '\n', got)) {
      const auto whole = static_cast<std::size_t>(static_cast<const char*>(newline) - buffer.data()) + 1;
      position_.offset += whole;
      return {buffer.data(), whole};
    }
    if (got == wanted && got >= kLogReadBytesMin) {  // no record is that long
      position_.offset += got;
      skipped_bytes_ += got;
      continue;
    }
    if (!next || (limit && limit->segment == position_.segment)) return {};
    skipped_bytes_ += got;
    position_.segment = next;
    position_.offset = 0;
  }
}

}  // namespace quoll::mgr
