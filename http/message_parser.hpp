// MessageParser: Beast's HTTP/1 parser, fed by hand, behind a header without Beast.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/fields.hpp"

namespace quoll::http {

// What a parser fills in. `text` is the method and the target in one string, or the reason phrase.
struct MessageHead {
  std::string text;
  std::size_t method_size = 0;
  int version_minor = 1;
  int status = 0;
  Fields fields;
  Fields* trailers = nullptr;  // dropped where null

  void clear();
};

// The status that a malformed message is answered with, and a short text.
struct ParseFailure {
  int status = 0;
  std::string_view text;
};

// Lifetime: of one message; `head` outlives it.
// Errors:   failure() has a status where the message is malformed; nothing more can be parsed then.
template <bool kIsRequest>
class MessageParser {
 public:
  MessageParser(MessageHead& head, std::size_t head_bytes_max);
  ~MessageParser();
  MessageParser(const MessageParser&) = delete;
  MessageParser& operator=(const MessageParser&) = delete;

  // Returns how many bytes it has taken; head_done() or failure() say what came of them. What it leaves is to be given
  // again with more behind it.
  std::size_t parse_head(std::string_view bytes);
  // Decodes body bytes into `out`; `*produced` says how many. Takes nothing where more input is needed. `out` may begin
  // where `bytes` do and be as long: what is not taken stays untouched behind what is produced.
  std::size_t parse_body(std::string_view bytes, std::span<char> out, std::size_t* produced);
  // The peer sends no more: true where the message is complete then.
  bool end_of_input();
  // Responses: this one has no body whatever its header says (HEAD). REQUIRES: nothing parsed yet.
  void skip_body();

  bool head_done() const;
  bool done() const;
  bool keep_alive() const;
  bool chunked() const;
  bool upgrade() const;
  std::optional<std::uint64_t> content_length() const;
  std::optional<std::uint64_t> content_length_left() const;
  const ParseFailure& failure() const;

 private:
  class Impl;
  Impl& impl() { return *reinterpret_cast<Impl*>(storage_); }
  const Impl& impl() const { return *reinterpret_cast<const Impl*>(storage_); }

  // Beast's class in place: it is kept out of this header, and no request pays an allocation for that.
  static constexpr std::size_t kStorage = 192;
  alignas(8) std::byte storage_[kStorage];
};

extern template class MessageParser<true>;
extern template class MessageParser<false>;
using RequestParser = MessageParser<true>;
using ResponseParser = MessageParser<false>;

}  // namespace quoll::http
