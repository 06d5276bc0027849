// RouteStats: how many requests a route has answered, with which status, and how long that took.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace quoll::http {

// Counted where the client has left before the answer's end, as in nginx's logs.
inline constexpr int kClientGoneStatus = 499;

// Numbers only grow. A reader that comes between two additions may see one request in one number and not yet in
// another. Thread: any.
class RouteStats {
 public:
  // Upper ends of the histogram's buckets, in microseconds; what takes longer is in one more.
  static constexpr std::array<std::uint32_t, 14> kBoundsUs{100,       250,       500,        1'000,     2'500,
                                                           5'000,     10'000,    25'000,     100'000,   250'000,
                                                           1'000'000, 2'500'000, 10'000'000, 60'000'000};
  static constexpr std::size_t kStatusesMax = 12;

  struct Status {
    int code = 0;  // 0: any of those for which there was no room
    std::uint64_t count = 0;
  };
  struct Snapshot {
    std::array<Status, kStatusesMax> statuses;
    std::size_t status_count = 0;
    std::array<std::uint64_t, kBoundsUs.size() + 1> buckets;  // each its own, not summed up
    std::uint64_t count = 0;                                  // of all buckets
    std::chrono::nanoseconds total{0};
  };

  void add(int status, std::chrono::nanoseconds duration) noexcept;
  Snapshot snapshot() const;

 private:
  struct StatusCount {
    std::atomic<int> code{-1};  // -1: free
    std::atomic<std::uint64_t> count{0};
  };

  std::array<StatusCount, kStatusesMax> statuses_;
  std::array<std::atomic<std::uint64_t>, kBoundsUs.size() + 1> buckets_{};
  std::atomic<std::int64_t> total_ns_{0};
};

}  // namespace quoll::http
