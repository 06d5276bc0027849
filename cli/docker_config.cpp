#include "cli/docker_config.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "http/base64.hpp"
#include "task/error.hpp"
#include "task/unique_fd.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

constexpr std::string_view kHubKey = "https://index.docker.io/v1/";

json read_config(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) {
    if (errno == ENOENT || errno == ENOTDIR) return json::object();
    throw system_error(errno, "open " + file.string());
  }
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  json config = json::parse(text, nullptr, false);
  if (!config.is_object() || (config.contains("auths") && !config["auths"].is_object())) {
    throw Error(ErrorClass::kInvalidArgument, file.string() + " is no configuration of docker's");
  }
  return config;
}

void write_config(const std::filesystem::path& file, const json& config) {
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error) throw system_error(error.value(), "create " + file.parent_path().string());
  std::string temporary = file.string() + ".XXXXXX";
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));  // 0600
  if (!fd) throw system_error(errno, "create " + temporary);
  const std::string text = config.dump(1, '\t') + "\n";
  const bool written = ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written || ::fsync(fd.get()) != 0 || ::rename(temporary.c_str(), file.c_str()) != 0) {
    const int failure = errno;
    ::unlink(temporary.c_str());
    throw system_error(failure, "write " + file.string());
  }
}

}  // namespace

std::string auth_key(std::string_view server) {
  std::string_view host = server;
  if (const auto scheme = host.find("://"); scheme != host.npos) host.remove_prefix(scheme + 3);
  host = host.substr(0, host.find('/'));
  if (host.empty() || host == "docker.io" || host.ends_with(".docker.io")) return std::string(kHubKey);
  return std::string(host);
}

std::string server_of_image(std::string_view image) {
  const auto slash = image.find('/');
  const std::string_view first = image.substr(0, slash);
  const bool is_host = slash != image.npos && (first == "localhost" || first.find_first_of(".:") != first.npos);
  return is_host ? std::string(first) : "docker.io";
}

DockerConfig DockerConfig::of_this_user() {
  if (const char* const directory = std::getenv("DOCKER_CONFIG"); directory != nullptr && *directory != '\0') {
    return DockerConfig(std::filesystem::path(directory) / "config.json");
  }
  const char* const home = std::getenv("HOME");
  return DockerConfig(std::filesystem::path(home == nullptr ? "/root" : home) / ".docker/config.json");
}

std::string DockerConfig::auth_header(std::string_view server) const {
  const json config = read_config(file_);
  const auto auths = config.find("auths");
  const std::string key = auth_key(server);
  if (auths == config.end() || !auths->contains(key)) return {};
  const json& entry = auths->at(key);
  json credentials = json::object();
  for (const char* name : {"auth", "identitytoken", "registrytoken"}) {
    const auto value = entry.find(name);
    if (entry.is_object() && value != entry.end() && value->is_string()) credentials[name] = *value;
  }
  if (credentials.empty()) return {};
  credentials["serveraddress"] = key;
  std::string header = http::to_base64(credentials.dump());
  std::ranges::replace(header, '+', '-');
  std::ranges::replace(header, '/', '_');
  return header;
}

void DockerConfig::keep(std::string_view server, std::string_view user, std::string_view password) const {
  json config = read_config(file_);
  config["auths"][auth_key(server)] = {{"auth", http::to_base64(std::string(user) + ":" + std::string(password))}};
  write_config(file_, config);
}

bool DockerConfig::forget(std::string_view server) const {
  json config = read_config(file_);
  if (!config.contains("auths") || config["auths"].erase(auth_key(server)) == 0) return false;
  write_config(file_, config);
  return true;
}

}  // namespace quoll::cli
