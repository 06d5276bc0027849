#include "http/route_stats.hpp"

#include <algorithm>

namespace quoll::http {

void RouteStats::add(int status, std::chrono::nanoseconds duration) noexcept {
  const auto bound = std::ranges::lower_bound(kBoundsUs, duration.count(), {},
                                              [](std::uint32_t us) { return std::int64_t{us} * 1000; });
  buckets_[static_cast<std::size_t>(bound - kBoundsUs.begin())].fetch_add(1, std::memory_order_relaxed);
  total_ns_.fetch_add(duration.count(), std::memory_order_relaxed);
  for (std::size_t i = 0; i < kStatusesMax; ++i) {
    // The last place is for whatever comes when all others are taken.
    const int code = i + 1 == kStatusesMax ? 0 : status;
    int known = statuses_[i].code.load(std::memory_order_relaxed);
    if (known == -1 && statuses_[i].code.compare_exchange_strong(known, code, std::memory_order_relaxed)) known = code;
    if (known != code) continue;
    statuses_[i].count.fetch_add(1, std::memory_order_relaxed);
    return;
  }
}

RouteStats::Snapshot RouteStats::snapshot() const {
  Snapshot snapshot;
  for (const StatusCount& status : statuses_) {
    const int code = status.code.load(std::memory_order_relaxed);
    if (code != -1) snapshot.statuses[snapshot.status_count++] = {code, status.count.load(std::memory_order_relaxed)};
  }
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    snapshot.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
    snapshot.count += snapshot.buckets[i];
  }
  snapshot.total = std::chrono::nanoseconds(total_ns_.load(std::memory_order_relaxed));
  return snapshot;
}

}  // namespace quoll::http
