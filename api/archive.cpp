// /containers/{id}/archive and /containers/{id}/export
#include <nlohmann/json.hpp>

#include "api/chunked_answer.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "http/base64.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/container/user_lookup.hpp"
#include "mgr/files/container_copy.hpp"
#include "mgr/files/inode.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using mgr::FileAccess;
using mgr::FilesView;

std::string path_parameter(const Request& request) {
  std::string path = request.query("path").value_or("");
  if (path.empty()) throw Error(ErrorClass::kInvalidArgument, "bad parameter: path cannot be empty");
  return path;
}

Error no_such_file(const Request& request, const std::string& path) {
  return Error(ErrorClass::kNotFound,
               "Could not find the file " + path + " in container " + std::string(request.param("id")));
}

void set_stat_header(Response& response, const mgr::PathStat& stat) {
  const nlohmann::json json{{"name", stat.name},
                            {"size", stat.size},
                            {"mode", stat.mode},
                            {"mtime", mgr::rfc3339_nano(stat.mtime_ns)},
                            {"linkTarget", stat.link_target}};
  response.set_header("X-Docker-Container-Path-Stat",
                      http::to_base64(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
}

mgr::ExtractOptions extract_options(const Request& request, const mgr::Container& container, const FileAccess& files) {
  const auto config = container.config();
  mgr::ExtractOptions options;
  options.keep_kinds = request.query_flag("noOverwriteDirNonDir");
  options.read_only_root = config->host.readonly_rootfs;
  options.mounts = files.mounts;
  if (request.query_flag("copyUIDGID") && !config->user.empty()) {
    const auto user = mgr::lookup_user("/proc/self/fd/" + std::to_string(files.root.fd()), config->user, {});
    options.owner = mgr::TreeOwner{user.uid, user.gid};
  }
  return options;
}

Task<void> send_archive(Response& response, mgr::TreeArchive& archive, std::string_view content_type) {
  co_await send_chunks(
      response,
      [&archive](std::string& chunk, std::size_t size, const std::stop_token& stop) {
        archive.read(chunk, size, stop);
      },
      content_type);
}

}  // namespace

Task<void> stat_archive(Api& api, Request& request, Response& response) {
  const std::string path = path_parameter(request);
  const auto container = named_container(api, request);
  const FileAccess files = co_await api.containers.open_files(container, FilesView::kWithMounts);
  const auto stat = co_await task::blocking([&] { return mgr::stat_in_root(files.root.fd(), path); });
  if (!stat) throw no_such_file(request, path);
  set_stat_header(response, *stat);
  co_await response.send_empty(200);
}

Task<void> get_archive(Api& api, Request& request, Response& response) {
  const std::string path = path_parameter(request);
  const auto container = named_container(api, request);
  const FileAccess files = co_await api.containers.open_files(container, FilesView::kWithMounts);
  auto found = co_await task::blocking([&] { return mgr::archive_in_root(files.root.fd(), path); });
  if (!found) throw no_such_file(request, path);
  set_stat_header(response, found->stat);
  co_await send_archive(response, found->archive, "application/x-tar");
  api.containers.publish(*container, "archive-path");
}

Task<void> put_archive(Api& api, Request& request, Response& response) {
  const std::string path = path_parameter(request);
  const auto container = named_container(api, request);
  const FileAccess files = co_await api.containers.open_files(container, FilesView::kWithMounts);
  bool found = false;
  co_await request.consume_body([&](const mgr::ByteSource& tar, const std::stop_token& stop) {
    const mgr::ExtractOptions options = extract_options(request, *container, files);
    found = mgr::extract_in_root(files.root.fd(), path, options, tar, stop);
  });
  if (!found) throw no_such_file(request, path);
  api.containers.publish(*container, "extract-to-dir");
  co_await response.send_empty(200);
}

Task<void> export_container(Api& api, Request& request, Response& response) {
  const auto container = named_container(api, request);
  const FileAccess files = co_await api.containers.open_files(container, FilesView::kRootOnly);
  mgr::TreeArchive archive(mgr::find_in_root(files.root.fd(), "/", false), {});
  co_await send_archive(response, archive, "application/octet-stream");
  api.containers.publish(*container, "export");
}

}  // namespace quoll::api
