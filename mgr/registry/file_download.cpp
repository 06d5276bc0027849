#include "mgr/registry/file_download.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <ctime>
#include <memory>

#include "mgr/image/durable_file.hpp"
#include "mgr/registry/registry_session.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;

RegistryEndpoint endpoint_of(const RegistryHosts& hosts, const RegistryUrl& url) {
  RegistryEndpoint endpoint{.base = url, .name = url.authority()};
  endpoint.base.target = "/";
  endpoint.insecure = hosts.is_insecure(endpoint.name);
  return endpoint;
}

// "Sun, 06 Nov 1994 08:49:37 GMT"; 0 for anything else.
std::time_t http_date(std::string_view text) {
  std::tm parts{};
  const std::string date(text);
  return ::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts) == nullptr ? 0 : ::timegm(&parts);
}

}  // namespace

task::Task<void> download_file(RegistryHosts& hosts, std::string url, std::filesystem::path path,
                               std::int64_t bytes_max) {
  const auto parsed = RegistryUrl::parse(url);
  if (!parsed) throw Error(ErrorClass::kInvalidArgument, "invalid URL: " + url);
  RegistrySession session(hosts, endpoint_of(hosts, *parsed), "", "", {});
  RegistryAnswer answer = co_await session.get(*parsed);
  if (answer.status() != 200) {
    throw Error(ErrorClass::kNotFound, "failed to GET " + url + " with status " + std::to_string(answer.status()));
  }
  const UniqueFd file = co_await task::blocking([&] { return open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600); });
  const auto buffer = std::make_unique_for_overwrite<char[]>(kPieceBytes);
  std::int64_t total = 0;
  while (const std::size_t got = co_await answer.read({buffer.get(), kPieceBytes})) {
    total += static_cast<std::int64_t>(got);
    if (total > bytes_max) {
      throw Error(ErrorClass::kResourceExhausted, url + ": larger than " + std::to_string(bytes_max) + " bytes");
    }
    co_await task::blocking([&] { write_all(file.get(), {buffer.get(), got}, url); });
  }
  const timespec time{.tv_sec = http_date(answer.header("Last-Modified")), .tv_nsec = 0};
  const timespec times[] = {time, time};
  ::futimens(file.get(), times);
}

}  // namespace quoll::mgr
