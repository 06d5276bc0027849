// Manifests from registries, verified.
#pragma once

#include <memory>
#include <string>

#include "mgr/image/reference.hpp"
#include "mgr/registry/registry_auth.hpp"
#include "mgr/registry/registry_hosts.hpp"
#include "mgr/registry/registry_manifest.hpp"
#include "mgr/registry/registry_session.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// What a registry is asked for: the reference's digest, or else its tag.
std::string wanted_manifest(const Reference& reference);

// `name` is a tag or a digest, `expected_digest` empty for a tag. Errors: kInvalidArgument for another digest, or what
// is no manifest; those of the registry.
task::Task<Manifest> fetch_manifest(RegistrySession& session, std::string name, std::string expected_digest);

struct FoundManifest {
  std::unique_ptr<RegistrySession> session;  // to go on with
  Manifest manifest;
};

// The manifest that a reference names, from the first endpoint that has it.
//
// Errors: in Docker's words; kNotFound "manifest for x:y not found: ...", "pull access denied for x, ...".
task::Task<FoundManifest> find_manifest(RegistryHosts& hosts, Reference reference, RegistryCredentials credentials,
                                        std::string actions);

}  // namespace quoll::mgr
