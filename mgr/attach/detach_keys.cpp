#include "mgr/attach/detach_keys.hpp"

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::string_view kControl = "ctrl-";

char key_of(std::string_view name, std::string_view all) {
  if (name.size() == 1) return name[0];
  if (name == "DEL") return 127;
  if (name.starts_with(kControl) && name.size() == kControl.size() + 1) {
    const char letter = name.back();
    if (letter >= 'a' && letter <= 'z') return static_cast<char>(letter - 'a' + 1);
    if (letter == '@') return 0;
    if (letter >= '[' && letter <= '_') return static_cast<char>(letter - '[' + 27);
  }
  throw Error(ErrorClass::kInvalidArgument, "Invalid detach keys (" + std::string(all) + ") provided");
}

}  // namespace

std::string parse_detach_keys(std::string_view text) {
  if (text.empty()) return "\x10\x11";
  std::string keys;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    keys += key_of(text.substr(begin, end - begin), text);
    begin = end + 1;
  }
  return keys;
}

bool DetachKeys::feed(std::string_view typed, std::string& through) {
  through.clear();
  if (keys_.empty()) {
    through = typed;
    return false;
  }
  for (const char byte : typed) {
    if (matched_ > 0 && byte != keys_[matched_]) {
      through.append(keys_, 0, matched_);
      matched_ = 0;
    }
    if (byte == keys_[matched_]) {
      if (++matched_ == keys_.size()) return true;
    } else {
      through += byte;
    }
  }
  return false;
}

}  // namespace quoll::mgr
