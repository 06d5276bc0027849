// Builder: images from Dockerfiles, as Docker's classic builder makes them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mgr/build/build_arguments.hpp"
#include "mgr/build/build_context.hpp"
#include "mgr/container/container_config.hpp"
#include "mgr/image/reference.hpp"
#include "mgr/registry/registry_auth.hpp"
#include "mgr/registry/shared_pulls.hpp"
#include "task/error.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

class AttachRegistry;
class ContainerManager;
class RegistryService;

struct BuildRequest {
  std::string dockerfile = "Dockerfile";
  std::string target;  // a stage's name or number; empty: the last
  std::vector<Reference> tags;
  ArgumentMap arguments;                      // --build-arg
  std::map<std::string, std::string> labels;  // --label
  std::optional<Platform> platform;           // of base images
  bool no_cache = false;
  std::vector<std::string> cache_from;  // images whose steps are a cache too
  bool pull = false;                    // ask the registry for newer base images
  bool keep_containers = false;         // of steps that succeed; Docker's rm=0
  bool remove_failed = false;           // the containers of steps that fail; Docker's forcerm
  HostConfig host;                      // limits, network, /dev/shm, extra hosts and ulimits of RUN steps
  std::map<std::string, RegistryCredentials> credentials;  // for base images, by what clients call their registries
};

// A step whose command has failed.
class StepFailure : public Error {
 public:
  StepFailure(int code, std::string message) : Error(ErrorClass::kInvalidArgument, std::move(message)), code_(code) {}
  int code() const { return code_; }

 private:
  int code_;
};

struct BuildMeans {
  ContainerManager& containers;
  ImageStore& images;
  RegistryService& registry;
  AttachRegistry& attached;  // the outputs of steps are among its streams
};

// Every step makes an image that has the one before as its parent, and says in its configuration what it was made by.
// These images are the cache: the next build finds them there, over restarts of the daemon too, and what ends an
// image's life ends theirs.
//
// `sink` takes Docker's lines in JSON. Returns the image's id.
//
// Cancel:   the container of the step that goes on is stopped and removed; the images of steps that are done stay, as
//           after an error, for the next build. A daemon that is killed leaves its step's container to the next one,
//           which removes it.
// Errors:   kInvalidArgument for a malformed Dockerfile, before the first line; StepFailure; those of pulls.
task::Task<std::string> build_image(BuildMeans means, BuildContext& context, BuildRequest request, LineSink sink);

}  // namespace quoll::mgr
