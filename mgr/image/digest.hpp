// SHA-256 content digests in the form "sha256:<64 lower-case hex digits>".
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace quoll::mgr {

// A streaming SHA-256.
//
// Errors:   kInternal when the crypto library refuses (no memory).
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::span<const char> bytes);

  // The digest of all bytes so far as 64 hex digits. Call once: the state is spent afterwards.
  std::string finish_hex();

  // The same as "sha256:<hex>".
  std::string finish_digest() { return "sha256:" + finish_hex(); }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::span<const char> bytes);

// "sha256:<hex>" of `bytes`.
std::string sha256_digest(std::string_view bytes);

// Whether `text` is "sha256:" and 64 lower-case hex digits: safe to use its hex part as a file name.
bool is_sha256_digest(std::string_view text);

// The hex part of a digest. REQUIRES: is_sha256_digest(digest).
std::string digest_hex(std::string_view digest);

// Whether `text` is `length` lower-case hex digits.
bool is_lower_hex(std::string_view text);

// The id that names a stack of layers: the diff id of a single layer, else sha256 of "<parent chain id> <diff id>".
std::string chain_id(std::string_view parent_chain_id, std::string_view diff_id);

}  // namespace quoll::mgr
