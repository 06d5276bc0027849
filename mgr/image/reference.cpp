#include "mgr/image/reference.hpp"

#include <algorithm>

#include "mgr/image/digest.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::string_view kDefaultDomain = "docker.io";
constexpr std::string_view kLegacyDomain = "index.docker.io";
constexpr std::string_view kOfficialPrefix = "library/";
constexpr std::string_view kDefaultTag = "latest";
constexpr std::size_t kNameLengthMax = 255;
constexpr std::size_t kTagLengthMax = 128;
constexpr std::size_t kDigestHexMin = 32;

[[noreturn]] void refuse(std::string message) { throw Error(ErrorClass::kInvalidArgument, std::move(message)); }
[[noreturn]] void refuse_format() { refuse("invalid reference format"); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_alnum(char c) { return is_digit(c) || is_lower(c) || is_upper(c); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Letters, digits and inner hyphens, as in a host name's label.
bool is_domain_label(std::string_view label) {
  if (label.empty() || !is_alnum(label.front()) || !is_alnum(label.back())) return false;
  return std::ranges::all_of(label, [](char c) { return is_alnum(c) || c == '-'; });
}

bool is_domain(std::string_view domain) {
  std::string_view host = domain;
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == host.npos || end == 1) return false;
    const auto address = host.substr(1, end - 1);
    if (!std::ranges::all_of(address, [](char c) { return is_hex(c) || c == ':'; })) return false;
    const auto rest = host.substr(end + 1);
    return rest.empty() || (rest.size() > 1 && rest.front() == ':' && std::ranges::all_of(rest.substr(1), is_digit));
  }
  if (const auto colon = host.find(':'); colon != host.npos) {
    const auto port = host.substr(colon + 1);
    if (port.empty() || !std::ranges::all_of(port, is_digit)) return false;
    host = host.substr(0, colon);
  }
  while (true) {
    const auto dot = host.find('.');
    if (!is_domain_label(host.substr(0, dot))) return false;
    if (dot == host.npos) return true;
    host = host.substr(dot + 1);
  }
}

// Lower-case letters and digits, separated by one '.', one or two '_', or any number of '-'.
bool is_path_component(std::string_view part) {
  if (part.empty() || !std::ranges::all_of(part, [](char c) {
        return is_digit(c) || is_lower(c) || c == '.' || c == '_' || c == '-';
      })) {
    return false;
  }
  const auto plain = [](char c) { return is_digit(c) || is_lower(c); };
  if (!plain(part.front()) || !plain(part.back())) return false;
  for (std::size_t i = 0; i < part.size();) {
    if (plain(part[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (!plain(part[end])) ++end;
    const auto separator = part.substr(i, end - i);
    const bool hyphens = separator.find_first_not_of('-') == separator.npos;
    if (!hyphens && separator != "." && separator != "_" && separator != "__") return false;
    i = end;
  }
  return true;
}

bool is_path(std::string_view path) {
  while (true) {
    const auto slash = path.find('/');
    if (!is_path_component(path.substr(0, slash))) return false;
    if (slash == path.npos) return true;
    path = path.substr(slash + 1);
  }
}

bool is_tag(std::string_view tag) {
  if (tag.empty() || tag.size() > kTagLengthMax || tag.front() == '.' || tag.front() == '-') return false;
  return std::ranges::all_of(tag, [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

void check_digest(std::string_view digest) {
  const auto colon = digest.find(':');
  if (colon == digest.npos || colon == 0) refuse_format();
  const auto hex = digest.substr(colon + 1);
  if (hex.size() < kDigestHexMin || !std::ranges::all_of(hex, is_hex)) refuse_format();
  if (digest.substr(0, colon) != "sha256") refuse("unsupported digest algorithm");
  if (hex.size() != 64) refuse("invalid checksum digest length");
  if (!is_sha256_digest(digest)) refuse("invalid checksum digest format");
}

// What stands before the first '/' is a registry when it could not be a path component of Docker Hub's.
bool looks_like_domain(std::string_view first) {
  return first.find_first_of(".:") != first.npos || first == "localhost" || std::ranges::any_of(first, is_upper);
}

}  // namespace

std::string Reference::familiar_name() const {
  if (domain != kDefaultDomain) return name();
  const std::string_view short_path = path;
  if (!short_path.starts_with(kOfficialPrefix)) return path;
  return std::string(short_path.substr(kOfficialPrefix.size()));
}

std::string Reference::canonical() const {
  if (!digest.empty()) return name() + "@" + digest;
  return tag.empty() ? name() : name() + ":" + tag;
}

std::string Reference::familiar() const {
  std::string text = familiar_name();
  if (!tag.empty()) text += ":" + tag;
  if (!digest.empty()) text += "@" + digest;
  return text;
}

Reference parse_reference_as_written(std::string_view text) {
  if (text.size() == 64 && is_lower_hex(text)) {
    refuse("invalid repository name (" + std::string(text) + "), cannot specify 64-byte hexadecimal strings");
  }
  Reference reference;
  std::string_view rest = text;
  if (const auto at = rest.find('@'); at != rest.npos) {
    reference.digest = rest.substr(at + 1);
    rest = rest.substr(0, at);
  }
  // A colon after the last slash starts the tag; one before it belongs to the registry's port.
  const auto last_slash = rest.rfind('/');
  if (const auto colon = rest.find(':', last_slash == rest.npos ? 0 : last_slash + 1); colon != rest.npos) {
    reference.tag = rest.substr(colon + 1);
    if (!is_tag(reference.tag)) refuse_format();
    rest = rest.substr(0, colon);
  }
  const auto slash = rest.find('/');
  if (slash == rest.npos || !looks_like_domain(rest.substr(0, slash))) {
    reference.domain = kDefaultDomain;
    reference.path = rest;
  } else {
    reference.domain = rest.substr(0, slash);
    reference.path = rest.substr(slash + 1);
  }
  if (reference.domain == kLegacyDomain) reference.domain = kDefaultDomain;
  if (reference.domain == kDefaultDomain && reference.path.find('/') == std::string::npos) {
    reference.path.insert(0, kOfficialPrefix);
  }
  if (std::ranges::any_of(reference.path, is_upper)) {
    refuse("invalid reference format: repository name (" + reference.path + ") must be lowercase");
  }
  if (!is_domain(reference.domain) || !is_path(reference.path)) refuse_format();
  if (reference.path.size() > kNameLengthMax) refuse("repository name must not be more than 255 characters");
  if (text.find('@') != text.npos) check_digest(reference.digest);
  return reference;
}

Reference parse_reference(std::string_view text) {
  Reference reference = parse_reference_as_written(text);
  if (reference.tag.empty() && reference.digest.empty()) reference.tag = kDefaultTag;
  return reference;
}

}  // namespace quoll::mgr
