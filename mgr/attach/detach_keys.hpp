// The keys by which somebody at a terminal leaves an attach without ending the process.
#pragma once

#include <string>
#include <string_view>

namespace quoll::mgr {

// "a", "ctrl-p", "DEL", separated by commas; as bytes. Empty text: Docker's default, ctrl-p,ctrl-q.
//
// Errors: kInvalidArgument in Docker's words.
std::string parse_detach_keys(std::string_view text);

// Looks for the keys in what is typed. What may be their beginning is held back until the next byte tells.
class DetachKeys {
 public:
  // Empty: nothing is looked for.
  explicit DetachKeys(std::string keys) : keys_(std::move(keys)) {}

  // Puts into `through` what goes to the process; true once the keys were pressed, with nothing behind them.
  bool feed(std::string_view typed, std::string& through);

 private:
  const std::string keys_;
  std::size_t matched_ = 0;
};

}  // namespace quoll::mgr
