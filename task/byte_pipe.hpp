// BytePipe: bytes from a task to a blocking function, in bounded memory: an upload that is unpacked while it comes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "task/event.hpp"
#include "task/task.hpp"

namespace quoll::task {

// The task calls write() and at the end close(); the function calls read(), and end_reading() when it wants no more.
// Run the function by blocking_at_peers_pace(): it waits inside.
//
// Lifetime: outlives both.
// Thread:   one writer and one reader, of any threads.
// Cancel:   a write() is cancelled as any await. break_off() ends a read() that waits.
// Limits:   keeps at most kCapacity bytes, and the same again in the reader's hand. Less than kWakeBytes may wait there
// for
//           the writer to go on or to end: nobody looks at an upload before it is whole.
class BytePipe {
 public:
  static constexpr std::size_t kCapacity = 1024 * 1024;
  // A reader that waits is not woken for less: each waking costs both threads more than copying some 10 KB does.
  static constexpr std::size_t kWakeBytes = kCapacity / 2;

  // Waits for room. Bytes that nobody will read are dropped.
  Task<void> write(std::string_view bytes);
  // The proper end.
  void close();
  // An end that is none: read() throws Error{kCancelled}.
  void break_off();

  // At least one byte, 0 at the end. Blocks.
  std::size_t read(std::span<char> buffer);
  void end_reading();

 private:
  enum class End : std::uint8_t { kOpen, kClosed, kBroken };

  void end(End how);
  void fetch();
  bool put(std::string_view bytes);

  Event room_;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::string filling_;       // guarded by mutex_
  End end_ = End::kOpen;      // guarded by mutex_
  bool reader_gone_ = false;  // guarded by mutex_
  std::string draining_;      // the reader's
  std::size_t drained_ = 0;   // the reader's
};

}  // namespace quoll::task
