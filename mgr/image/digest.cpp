#include "mgr/image/digest.hpp"

// The functions of SHA-256 itself: the EVP interface loads OpenSSL's providers and configuration first, which is two
// megabytes of every daemon's resident memory for the one algorithm that is used.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "task/error.hpp"

namespace quoll::mgr {

namespace {
constexpr std::string_view kPrefix = "sha256:";
constexpr std::size_t kHexLength = 64;
}  // namespace

struct Sha256::State {
  State() {
    if (SHA256_Init(&context) != 1) throw Error(ErrorClass::kInternal, "sha256: cannot start a digest");
  }

  SHA256_CTX context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const char> bytes) {
  if (SHA256_Update(&state_->context, bytes.data(), bytes.size()) != 1) {
    throw Error(ErrorClass::kInternal, "sha256: cannot digest");
  }
}

std::string Sha256::finish_hex() {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> raw{};
  if (SHA256_Final(raw.data(), &state_->context) != 1) {
    throw Error(ErrorClass::kInternal, "sha256: cannot finish a digest");
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(kHexLength);
  for (const unsigned char byte : raw) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

std::string sha256_hex(std::span<const char> bytes) {
  Sha256 digest;
  digest.update(bytes);
  return digest.finish_hex();
}

std::string sha256_digest(std::string_view bytes) { return std::string(kPrefix) + sha256_hex(bytes); }

bool is_lower_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_sha256_digest(std::string_view text) {
  return text.starts_with(kPrefix) && text.size() == kPrefix.size() + kHexLength &&
         is_lower_hex(text.substr(kPrefix.size()));
}

std::string digest_hex(std::string_view digest) { return std::string(digest.substr(kPrefix.size())); }

std::string chain_id(std::string_view parent_chain_id, std::string_view diff_id) {
  if (parent_chain_id.empty()) return std::string(diff_id);
  return sha256_digest(std::string(parent_chain_id) + " " + std::string(diff_id));
}

}  // namespace quoll::mgr
