#include "mgr/registry/manifest_fetch.hpp"

#include <optional>

#include "mgr/registry/registry_error.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kManifestMax = 4 * 1024 * 1024;  // Docker's bound

// The sentences that Docker's users know.
Error manifest_error(const Reference& reference, const Error& error) {
  switch (error.error_class()) {
    case ErrorClass::kNotFound:
      return Error(ErrorClass::kNotFound, "manifest for " + reference.familiar() + " not found: " + error.message());
    case ErrorClass::kPermissionDenied:
      return Error(ErrorClass::kNotFound,
                   "pull access denied for " + reference.familiar_name() +
                       ", repository does not exist or may require 'docker login': " + error.message());
    default:
      return error;
  }
}

}  // namespace

std::string wanted_manifest(const Reference& reference) {
  return reference.digest.empty() ? reference.tag : reference.digest;
}

task::Task<Manifest> fetch_manifest(RegistrySession& session, std::string name, std::string expected_digest) {
  http::HeaderList accept{{"Accept", accepted_manifests()}};
  RegistryAnswer answer = co_await session.get(session.url("manifests/" + name), std::move(accept));
  if (answer.status() != 200) throw co_await registry_error(std::move(answer));
  const std::string type(answer.header("Content-Type"));
  Manifest manifest = parse_manifest(co_await answer.text(kManifestMax), type);
  if (!expected_digest.empty() && manifest.digest != expected_digest) {
    throw Error(ErrorClass::kInvalidArgument, "manifest verification failed for digest " + expected_digest);
  }
  co_return manifest;
}

task::Task<FoundManifest> find_manifest(RegistryHosts& hosts, Reference reference, RegistryCredentials credentials,
                                        std::string actions) {
  std::optional<Error> failure;
  for (RegistryEndpoint& endpoint : hosts.endpoints(reference.domain, true)) {
    const bool mirror = endpoint.mirror;
    try {
      FoundManifest found;
      // A mirror is somebody else's: it gets no credentials that were meant for the registry.
      found.session = std::make_unique<RegistrySession>(hosts, std::move(endpoint), reference.path, actions,
                                                        mirror ? RegistryCredentials{} : credentials);
      found.manifest = co_await fetch_manifest(*found.session, wanted_manifest(reference), reference.digest);
      co_return found;
    } catch (const Error& error) {
      failure = manifest_error(reference, error);
      if (!mirror && error.error_class() != ErrorClass::kUnavailable) break;
    }
  }
  throw *failure;
}

}  // namespace quoll::mgr
