// images, load, rmi
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command_failure.hpp"
#include "cli/each.hpp"
#include "cli/json_stream.hpp"
#include "cli/list_rows.hpp"
#include "cli/table.hpp"
#include "http/uri.hpp"
#include "task/blocking.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kBufferBytes = 16 * 1024;

UniqueFd open_archive(const std::string& file) {
  if (!file.empty()) {
    UniqueFd archive(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!archive) throw system_error(errno, "open " + file);
    return archive;
  }
  if (::isatty(STDIN_FILENO) != 0) {
    throw CommandFailure(1, "load: standard input is a terminal: name a file with -i, or send the archive to it");
  }
  UniqueFd archive(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  if (!archive) throw system_error(errno, "standard input");
  return archive;
}

// A failure in the middle comes as a last object, since the answer's head has gone out by then.
task::Task<void> print_progress(Context& context, const std::string& object) {
  const json line = json::parse(object, nullptr, false);
  if (!line.is_object()) throw Error(ErrorClass::kUnavailable, "the daemon's answer is not JSON");
  if (line.contains("error")) throw Error(ErrorClass::kInternal, line.value("error", "the load failed"));
  const std::string text = line.value("stream", "");
  co_await context.out.write(text);
}

task::Task<void> remove_image(Context& context, Engine& engine, const RemoveImageOptions& options,
                              const std::string& name) {
  http::ClientRequest request{
      .method = "DELETE",
      .target = "/images/" + http::percent_encode(name, true) + query_string({{"force", options.force ? "1" : ""}})};
  http::ClientResponse response = co_await engine.open(std::move(request));
  const std::string body = co_await response.read_body_all();
  std::string text;
  for (const json& item : json::parse(body)) {
    for (const auto& [done, what] : item.items()) text += done + ": " + printable(what.get<std::string>()) + "\n";
  }
  co_await context.out.write(text);
}

}  // namespace

task::Task<int> execute(Context& context, const ImagesOptions& options) {
  Engine engine(context.host);
  const json images = co_await engine.get("/images/json");
  const IdForm form = options.full ? IdForm::kFull : IdForm::kShort;
  std::string text;
  if (options.quiet) {
    for (const json& image : images) text += shown_id(image.value("Id", ""), form) + "\n";
  } else {
    Table table({"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"});
    const auto now = std::chrono::system_clock::now();
    for (const json& image : images) {
      for (auto& row : image_rows(image, form, now)) table.add_row(std::move(row));
    }
    text = table.text();
  }
  co_await context.out.write(text);
  co_return 0;
}

task::Task<int> execute(Context& context, const LoadOptions& options) {
  // A file may be a pipe that nobody has opened for writing yet.
  Input archive(co_await task::blocking([&options] { return open_archive(options.file); }));
  Engine engine(context.host);
  http::ClientRequest request{.method = "POST", .target = "/images/load?quiet=1"};
  request.headers.emplace_back("Content-Type", "application/x-tar");
  request.body_producer = [&archive](std::span<char> buffer) { return archive.read(buffer); };
  http::ClientResponse response = co_await engine.open(std::move(request));
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  JsonStream objects;
  while (const std::size_t count = co_await response.read_body({buffer.get(), kBufferBytes})) {
    objects.feed({buffer.get(), count});
    while (const auto object = objects.next()) co_await print_progress(context, *object);
  }
  co_return 0;
}

task::Task<int> execute(Context& context, const RemoveImageOptions& options) {
  return for_each_name(context, options, options.images, remove_image);
}

}  // namespace quoll::cli
