#include "mgr/registry/registry_auth.hpp"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <vector>

#include "http/base64.hpp"
#include "mgr/image/image.hpp"
#include "mgr/letter_case.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::size_t kHeaderMax = 64 * 1024;

[[noreturn]] void refuse() { throw Error(ErrorClass::kInvalidArgument, "invalid X-Registry-Auth header"); }

std::string decode_base64(std::string_view text) {
  if (text.size() > kHeaderMax) refuse();
  auto bytes = http::from_base64(text);
  if (!bytes) refuse();
  return std::move(*bytes);
}

RegistryCredentials credentials_of(const json& value) {
  if (!value.is_object()) refuse();
  RegistryCredentials credentials{json_string(value, "username"), json_string(value, "password"),
                                  json_string(value, "serveraddress"), json_string(value, "identitytoken"),
                                  json_string(value, "registrytoken")};
  // Older clients send the two as one, as they stand in their configuration file.
  if (const std::string both = json_string(value, "auth"); !both.empty() && credentials.username.empty()) {
    const std::string plain = decode_base64(both);
    const std::size_t colon = plain.find(':');
    if (colon == plain.npos) refuse();
    credentials.username = plain.substr(0, colon);
    credentials.password = plain.substr(colon + 1);
  }
  return credentials;
}

bool is_token_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; }

}  // namespace

std::string registry_name(std::string address) {
  if (const std::size_t scheme = address.find("://"); scheme != address.npos) address.erase(0, scheme + 3);
  address = address.substr(0, address.find('/'));
  if (address.empty() || address == "index.docker.io" || address == "registry-1.docker.io") return "docker.io";
  return address;
}

RegistryCredentials parse_credentials(std::string_view text) {
  return credentials_of(parse_untrusted_json(text, "credentials"));
}

RegistryCredentials parse_auth_header(std::string_view header) {
  if (header.empty()) return {};
  return parse_credentials(decode_base64(header));
}

std::map<std::string, RegistryCredentials> parse_auth_config(std::string_view header) {
  std::map<std::string, RegistryCredentials> found;
  if (header.empty()) return found;
  const json document = parse_untrusted_json(decode_base64(header), "X-Registry-Config");
  if (!document.is_object()) refuse();
  for (const auto& [server, value] : document.items()) found[server] = credentials_of(value);
  return found;
}

RegistryCredentials credentials_for(const std::map<std::string, RegistryCredentials>& known,
                                    const std::string& domain) {
  for (const auto& [server, credentials] : known) {
    if (registry_name(server) == domain) return credentials;
  }
  return {};
}

std::string basic_authorization(const RegistryCredentials& credentials) {
  return "Basic " + http::to_base64(credentials.username + ":" + credentials.password);
}

std::string AuthChallenge::parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string() : found->second;
}

std::optional<AuthChallenge> parse_challenge(std::string_view header) {
  AuthChallenge challenge;
  const std::size_t space = std::min(header.find(' '), header.size());
  challenge.scheme = lower(header.substr(0, space));
  if (challenge.scheme.empty()) return std::nullopt;
  std::string_view rest = header.substr(space);
  while (true) {
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == ',')) rest.remove_prefix(1);
    if (rest.empty()) return challenge;
    std::size_t end = 0;
    while (end < rest.size() && is_token_char(rest[end])) ++end;
    if (end == 0 || end >= rest.size() || rest[end] != '=') return std::nullopt;
    const std::string name(rest.substr(0, end));
    rest.remove_prefix(end + 1);
    std::string value;
    if (rest.starts_with('"')) {
      rest.remove_prefix(1);
      while (!rest.empty() && rest.front() != '"') {
        if (rest.front() == '\\' && rest.size() > 1) rest.remove_prefix(1);
        value += rest.front();
        rest.remove_prefix(1);
      }
      if (rest.empty()) return std::nullopt;
      rest.remove_prefix(1);
    } else {
      end = std::min(rest.find_first_of(", "), rest.size());
      value = rest.substr(0, end);
      rest.remove_prefix(end);
    }
    challenge.parameters.emplace(name, std::move(value));
  }
}

}  // namespace quoll::mgr
