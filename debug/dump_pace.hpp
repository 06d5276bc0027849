// DumpPace: dumps back to back leave the process's other work nearly all of its time.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace quoll::debug {

// A walk over all tasks takes little, and nobody stops for it; but a client that asks for the next dump whenever one
// has come would have the workers walk all day. So the time that dumps take is paid for: for each stretch of dumping,
// kShare - 1 as long without. A dump that comes alone never waits, nor do some behind one another: kBurst of dumping
// is free after a pause. (The token bucket of network shaping, counted in time: a virtual clock that dumps move on.)
//
// Thread: any.
class DumpPace {
 public:
  static constexpr std::int64_t kShare = 32;
  static constexpr std::chrono::nanoseconds kBurst{std::chrono::milliseconds(25)};
  static constexpr std::chrono::nanoseconds kWaitMax{std::chrono::milliseconds(250)};

  // For how long a dump that would begin now has to wait: 0 to kWaitMax. `now_ns` is monotonic.
  std::chrono::nanoseconds wait(std::int64_t now_ns) const;
  // A dump has ended that took so long.
  void spend(std::chrono::nanoseconds duration, std::int64_t now_ns);

 private:
  mutable std::mutex mutex_;
  std::int64_t paid_until_ns_ = 0;  // guarded by mutex_; when all dumps so far are paid for
};

}  // namespace quoll::debug
