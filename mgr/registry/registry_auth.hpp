// Who we are to a registry, and what it asks for.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace quoll::mgr {

// What a client of the Docker API sends along (X-Registry-Auth, the body of /auth). All optional.
struct RegistryCredentials {
  std::string username;
  std::string password;
  std::string server_address;
  std::string identity_token;  // an OAuth refresh token, in place of a password
  std::string registry_token;  // a bearer token, ready to use

  bool empty() const { return username.empty() && identity_token.empty() && registry_token.empty(); }
  friend bool operator==(const RegistryCredentials&, const RegistryCredentials&) = default;
};

// The header's value: base64 (either alphabet) of JSON. An empty one is no credentials.
//
// Errors: kInvalidArgument.
RegistryCredentials parse_auth_header(std::string_view header);
// The JSON itself.
RegistryCredentials parse_credentials(std::string_view json);
// X-Registry-Config of builds: credentials by registry.
std::map<std::string, RegistryCredentials> parse_auth_config(std::string_view header);

// A reference's domain of what clients call a registry: "https://index.docker.io/v1/", "localhost:5000".
std::string registry_name(std::string address);
// Those for the registry of a reference's domain; empty where there are none.
RegistryCredentials credentials_for(const std::map<std::string, RegistryCredentials>& known, const std::string& domain);

// "Basic " and the base64 of user and password.
std::string basic_authorization(const RegistryCredentials& credentials);

// One WWW-Authenticate header: `Bearer realm="https://auth.example/token",service="registry"`.
struct AuthChallenge {
  std::string scheme;  // in lower case
  std::map<std::string, std::string> parameters;

  std::string parameter(const std::string& name) const;
};
std::optional<AuthChallenge> parse_challenge(std::string_view header);

}  // namespace quoll::mgr
