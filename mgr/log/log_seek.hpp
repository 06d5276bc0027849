// Finds where in a container's log a reader begins. All searches look at the few blocks that they need, not at the log.
//
// Thread: safe beside writers and rotations; they may block on the disk.
// Errors: what the disk refuses is thrown.
#pragma once

#include <cstdint>

#include "mgr/log/log_filter.hpp"
#include "mgr/log/log_segment.hpp"

namespace quoll::mgr {

// Behind the last whole record.
LogPosition position_for_end(const LogFiles& files);

// The start of the last `lines` lines of the streams that `filter` wants. A line is all its records, F or no F yet. Of
// a line that was begun before the last line of the *other* stream that is left out, only the records behind that one
// count.
LogPosition position_for_tail(const LogFiles& files, std::uint64_t lines, const LogFilter& filter);

// At or before the first record of `since_ns`, and near it; earlier records that follow are for the encoder to drop.
// Records are in the order of time but for a clock that was set back: steps of up to kLogClockJitterNs lose nothing.
LogPosition position_for_since(const LogFiles& files, std::int64_t since_ns);
inline constexpr std::int64_t kLogClockJitterNs = 1'000'000'000;

// Where `filter` begins: the later one of tail and since, the oldest record without either.
LogPosition position_for_filter(const LogFiles& files, const LogFilter& filter);

}  // namespace quoll::mgr
