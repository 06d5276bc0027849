// POST /build and /build/prune
#include <chrono>
#include <nlohmann/json.hpp>

#include "api/build_request.hpp"
#include "api/filters.hpp"
#include "api/handlers.hpp"
#include "api/image_request.hpp"
#include "api/json_body.hpp"
#include "api/json_stream.hpp"
#include "mgr/build/builder.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/event/event_bus.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/registry/registry_service.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr auto kCleanUpMax = std::chrono::minutes(5);
constexpr std::size_t kQuietBytesMax = 1024 * 1024;

// What a quiet build would have said: told only where it fails. Of a long story the end.
struct QuietLines {
  std::string text;

  void add(std::string_view lines) {
    text += lines;
    if (text.size() > kQuietBytesMax) text.erase(0, text.find('\n', text.size() / 2) + 1);
  }
};

Task<void> keep_lines(QuietLines* quiet, std::string_view lines) {
  quiet->add(lines);
  co_return;
}

// The files of the build: the body, or what `remote` names.
Task<void> receive_context(Api& api, Request& request, mgr::BuildContext& context) {
  const std::int64_t bytes_max = api.registry.plain_bytes_max();
  const std::string remote = request.query("remote").value_or("");
  if (remote.empty()) {
    co_return co_await request.consume_body(
        [&](const mgr::ByteSource& body, const std::stop_token& stop) { context.unpack(body, bytes_max, stop); });
  }
  const auto file = context.work() / "remote";
  co_await api.registry.download(remote, file);
  co_await task::blocking([&](const std::stop_token& stop) { context.take_file(file, bytes_max, stop); });
}

// The line of a step whose command has failed; nothing for any other end.
std::string step_failure_line(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const mgr::StepFailure& step) {
    const json detail{{"code", step.code()}, {"message", step.message()}};
    return to_text({{"errorDetail", detail}, {"error", step.message()}});
  } catch (...) {
    return "";
  }
}

// Its files go where no serving thread waits for it.
Task<void> drop_context(std::unique_ptr<mgr::BuildContext>* context) {
  co_await task::blocking([context] { context->reset(); });
}

Task<void> tell_failure(Response& response, QuietLines& quiet, std::exception_ptr failure) {
  if (!quiet.text.empty()) co_await stream_lines(response, quiet.text);
  const std::string line = step_failure_line(failure);
  if (!line.empty()) co_return co_await stream_lines(response, line);
  co_await end_stream(response, failure);
}

}  // namespace

Task<void> build_image(Api& api, Request& request, Response& response) {
  mgr::BuildRequest build = build_request_of(request);
  const bool is_quiet = request.query_flag("q");
  auto context = co_await task::blocking([&] { return std::make_unique<mgr::BuildContext>(api.images); });
  QuietLines quiet;
  const mgr::LineSink sink = [&response, &quiet, is_quiet](std::string_view lines) {
    return is_quiet ? keep_lines(&quiet, lines) : stream_lines(response, lines);
  };
  std::exception_ptr failure;
  std::string id;
  try {
    co_await receive_context(api, request, *context);
    id = co_await mgr::build_image({api.containers, api.images, api.registry, api.attached}, *context, std::move(build),
                                   sink);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await task::shielded(kCleanUpMax, drop_context(&context));
  if (failure) co_return co_await tell_failure(response, quiet, failure);
  if (is_quiet) {
    const std::string line = to_text({{"stream", id + "\n"}});
    co_await stream_lines(response, line);
  }
}

Task<void> prune_builds(Api& api, Request& request, Response& response) {
  const Filters filters(request.query("filters"), {"until", "label", "label!"});
  for (const char* bound : {"keep-storage", "reserved-space", "max-used-space", "min-free-space"}) {
    const std::string value = request.query(bound).value_or("");
    if (value.empty() || value == "0") continue;
    throw Error(ErrorClass::kNotImplemented, std::string(bound) + " is not supported: use the filter until");
  }
  const std::optional<std::int64_t> until_ns = filters.until_ns(mgr::wall_now_ns());
  const auto wanted = [&](const mgr::Image& image) {
    return (!until_ns || image.created_seconds * kSecond_ns <= *until_ns) && filters.match_labels(image.labels());
  };
  const mgr::RemoveResult result = co_await task::blocking([&](const std::stop_token& stop) {
    return api.images.prune_build_steps(wanted, [&api] { return api.containers.image_users(); }, stop);
  });
  api.events.publish({"builder", "prune", "", {{"reclaimed", std::to_string(result.freed_bytes)}}});
  json ids = json::array();
  for (const mgr::RemoveItem& item : result.items) {
    if (item.kind == mgr::RemoveItem::Kind::kDeleted) ids.push_back(item.name);
  }
  co_await send_json(response, 200,
                     {{"CachesDeleted", ids.empty() ? json() : ids}, {"SpaceReclaimed", result.freed_bytes}});
}

}  // namespace quoll::api
