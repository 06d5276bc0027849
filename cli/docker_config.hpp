// What `docker login` keeps: the credentials in config.json, which quoll reads and writes as docker does.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace quoll::cli {

// The key of a registry in `auths`: "host:port" as it stands, and "https://index.docker.io/v1/" for Docker Hub, by
// whatever name.
std::string auth_key(std::string_view server);

// The registry that an image's name leads to: "host:port", or "docker.io".
std::string server_of_image(std::string_view image);

// Thread: any; all block on the disk.
// Errors: system_error()'s; kInvalidArgument for a file that is no JSON object.
class DockerConfig {
 public:
  // $DOCKER_CONFIG/config.json, or ~/.docker/config.json.
  static DockerConfig of_this_user();
  explicit DockerConfig(std::filesystem::path file) : file_(std::move(file)) {}

  const std::filesystem::path& file() const { return file_; }

  // The value of X-Registry-Auth for the registry; "" where nothing is known of it. What a credential helper keeps is
  // not asked for.
  std::string auth_header(std::string_view server) const;

  // Replaces the file as a whole, 0600; all else in it stays.
  void keep(std::string_view server, std::string_view user, std::string_view password) const;
  // False where nothing was known.
  bool forget(std::string_view server) const;

 private:
  std::filesystem::path file_;
};

}  // namespace quoll::cli
