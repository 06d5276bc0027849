// All that the daemon does with registries: pull, push, login, and looking at what one has.
#pragma once

#include <string>
#include <vector>

#include "mgr/registry/file_download.hpp"
#include "mgr/registry/image_push.hpp"
#include "mgr/registry/registry_hosts.hpp"
#include "mgr/registry/shared_pulls.hpp"

namespace quoll::mgr {

struct RegistryServiceOptions {
  RegistryOptions registry;
  std::int64_t plain_bytes_max = 64LL << 30;  // of one uncompressed layer
};

// What a registry says of a reference.
struct DistributionFacts {
  ContentDescriptor descriptor;
  std::vector<Platform> platforms;
};

// Lifetime: outlives the requests that use it. Thread: any.
class RegistryService {
 public:
  // Errors: kInvalidArgument for a malformed option.
  RegistryService(RegistryServiceOptions options, ImageStore& store);

  const RegistryOptions& options() const { return hosts_.options(); }

  // See SharedPulls.
  task::Task<PulledImage> pull(PullRequest request, LineSink sink);
  // Every tag of a repository, for a pull of all. See list_tags().
  task::Task<std::vector<std::string>> tags(Reference reference, RegistryCredentials credentials);

  // See push_image().
  task::Task<void> push(PushRequest request, LineSink sink);

  // Returns where the credentials are right. Errors: kUnauthenticated, kUnavailable.
  task::Task<void> login(RegistryCredentials credentials);

  // Errors: as of a pull.
  task::Task<DistributionFacts> inspect(Reference reference, RegistryCredentials credentials);

  // See download_file(); the bound is that of a layer.
  task::Task<void> download(std::string url, std::filesystem::path path);
  std::int64_t plain_bytes_max() const { return plain_bytes_max_; }

 private:
  RegistryHosts hosts_;
  ImageStore& store_;
  const std::int64_t plain_bytes_max_;
  LayerTurns downloads_;
  LayerTurns unpacks_;
  BlobArrivals arrivals_;
  SharedPulls pulls_;
};

}  // namespace quoll::mgr
