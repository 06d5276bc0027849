// /containers, but for logs.
#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>

#include "api/container_json.hpp"
#include "api/container_selection.hpp"
#include "api/container_size.hpp"
#include "api/filters.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/numbers.hpp"
#include "api/old_fields.hpp"
#include "api/old_requests.hpp"
#include "api/version.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/exec/exec_manager.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/platform.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using mgr::ContainerSnapshot;

constexpr std::size_t kEmptyBodyBytesMax = 7;  // "{}" and "null" of clients that always send something

mgr::StopRequest stop_request(const Request& request) {
  return {.timeout_s = query_number(request, "t"),
          .signal = is_before(request, 42) ? "" : request.query("signal").value_or("")};
}

// With `stop`, the containers' sizes are looked up too, which blocks.
std::shared_ptr<const std::string> list_answer(Api& api, const ContainerSelection& selection, std::int64_t now_ns,
                                               const std::stop_token* stop = nullptr) {
  nlohmann::json list = nlohmann::json::array();
  for (const ContainerSnapshot& container : api.containers.list()) {
    if (selection.full(list.size())) break;
    if (!selection.has(container)) continue;
    list.push_back(summary_json(container, now_ns));
    if (stop != nullptr) add_sizes(api, container.id, container.image_id, list.back(), *stop);
  }
  return std::make_shared<const std::string>(to_text(list));
}

mgr::WaitCondition wait_condition(const Request& request) {
  const std::string condition = is_before(request, 30) ? "" : request.query("condition").value_or("");
  if (condition.empty() || condition == "not-running") return mgr::WaitCondition::kNotRunning;
  if (condition == "next-exit") return mgr::WaitCondition::kNextExit;
  if (condition == "removed") return mgr::WaitCondition::kRemoved;
  throw Error(ErrorClass::kInvalidArgument, "invalid condition: \"" + condition + "\"");
}

// What a container is told whose creation says something in a way that is not the present one.
std::vector<std::string> manner_warnings(const Request& request, const nlohmann::json& body, bool ignores_driver) {
  std::vector<std::string> warnings;
  if (!is_before(request, 44) && !mgr::json_string(body, "MacAddress").empty()) {
    warnings.emplace_back(
        "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.");
  }
  if (ignores_driver && !is_before(request, 48)) {
    warnings.emplace_back(
        "the container-wide volume-driver configuration is ignored for volumes specified via 'mount'. Use '--mount "
        "type=volume,volume-driver=...' instead");
  }
  return warnings;
}

bool ignores_volume_driver(const mgr::HostConfig& host) {
  return !host.volume_driver.empty() && std::ranges::any_of(host.mounts, [](const mgr::MountConfig& mount) {
    return mount.kind == mgr::MountConfig::Kind::kVolume && mount.origin == mgr::MountConfig::Origin::kMounts;
  });
}

// Of the image; nothing is "whatever the name stands for".
std::optional<mgr::Platform> wanted_platform(const Request& request) {
  const std::string text = request.query("platform").value_or("");
  if (text.empty() || is_before(request, 41)) return std::nullopt;
  return mgr::parse_platform(text);
}

}  // namespace

Task<void> create_container(Api& api, Request& request, Response& response) {
  nlohmann::json body = co_await read_json(request);
  read_as_old_create(request, body);
  mgr::ContainerConfig config = mgr::parse_container_config(body);
  std::vector<std::string> warnings = manner_warnings(request, body, ignores_volume_driver(config.host));
  mgr::CreatedContainer created =
      co_await api.containers.create(request.query("name").value_or(""), std::move(config), wanted_platform(request));
  std::ranges::move(warnings, std::back_inserter(created.warnings));
  co_await send_json(response, 201, {{"Id", created.id}, {"Warnings", created.warnings}});
}

Task<void> list_containers(Api& api, Request& request, Response& response) {
  const std::int64_t now_ns = mgr::wall_now_ns();
  // Read first: a change while the answer is made makes it an old one.
  const std::uint64_t generation = api.containers.generation();
  const std::int64_t second = now_ns / 1'000'000'000;
  auto answer = api.container_list.find(request.raw_query(), generation, second);
  if (answer) {
    co_await response.send(std::move(answer), "application/json");
    co_return;
  }
  ContainerSelection selection(api, request);
  const bool sized = request.query_flag("size");
  if (sized || selection.needs_images()) {  // neither sizes nor images change the generation: the answer is not kept
    answer = co_await task::blocking([&](const std::stop_token& stop) {
      selection.find_images(api.images);
      return list_answer(api, selection, now_ns, sized ? &stop : nullptr);
    });
  } else {
    answer = list_answer(api, selection, now_ns);
    api.container_list.keep(request.raw_query(), generation, second, answer);
  }
  co_await response.send(std::move(answer), "application/json");
}

Task<void> inspect_container(Api& api, Request& request, Response& response) {
  const auto container = named_container(api, request);
  nlohmann::json answer = inspect_json(container->snapshot(), container->paths());
  if (auto ids = api.execs.ids_of(container->id()); !ids.empty()) answer["ExecIDs"] = std::move(ids);
  if (request.query_flag("size")) {
    co_await task::blocking(
        [&](const std::stop_token& stop) { add_sizes(api, container->id(), container->image_id(), answer, stop); });
  }
  add_old_container_fields(request, answer);
  co_await send_json(response, 200, answer);
}

Task<void> start_container(Api& api, Request& request, Response& response) {
  const std::string body = co_await request.read_body_all(kJsonBodyBytesMax);
  if (body.size() > kEmptyBodyBytesMax) {
    throw Error(ErrorClass::kInvalidArgument,
                "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24");
  }
  if (!request.query("checkpoint").value_or("").empty()) {
    throw Error(ErrorClass::kNotImplemented, "checkpoints are not supported yet");
  }
  co_await api.containers.start(named_container(api, request));
  co_await response.send_empty(204);
}

Task<void> stop_container(Api& api, Request& request, Response& response) {
  co_await api.containers.stop(named_container(api, request), stop_request(request));
  co_await response.send_empty(204);
}

Task<void> restart_container(Api& api, Request& request, Response& response) {
  co_await api.containers.restart(named_container(api, request), stop_request(request));
  co_await response.send_empty(204);
}

Task<void> kill_container(Api& api, Request& request, Response& response) {
  try {
    co_await api.containers.kill(named_container(api, request), request.query("signal").value_or(""));
  } catch (const Error& error) {
    throw Error(error.error_class(),
                "cannot kill container: " + std::string(request.param("id")) + ": " + error.message());
  }
  co_await response.send_empty(204);
}

Task<void> pause_container(Api& api, Request& request, Response& response) {
  co_await api.containers.pause(named_container(api, request));
  co_await response.send_empty(204);
}

Task<void> unpause_container(Api& api, Request& request, Response& response) {
  co_await api.containers.unpause(named_container(api, request));
  co_await response.send_empty(204);
}

Task<void> rename_container(Api& api, Request& request, Response& response) {
  const std::string name = request.query("name").value_or("");
  if (name.empty()) throw Error(ErrorClass::kInvalidArgument, "Neither old nor new names may be empty");
  co_await api.containers.rename(named_container(api, request), name);
  co_await response.send_empty(204);
}

Task<void> update_container(Api& api, Request& request, Response& response) {
  nlohmann::json body = co_await read_json(request);
  read_as_old_update(request, body);
  const std::vector<std::string> warnings =
      co_await api.containers.update(named_container(api, request), mgr::parse_container_update(body));
  co_await send_json(response, 200, {{"Warnings", warnings}});
}

Task<void> prune_containers(Api& api, Request& request, Response& response) {
  const Filters filters(request.query("filters"), {"until", "label", "label!"});
  const std::optional<std::int64_t> until_ns = filters.until_ns(mgr::wall_now_ns());
  const mgr::PrunedContainers pruned = co_await api.containers.prune([&](const ContainerSnapshot& container) {
    if (until_ns && container.created_ns >= *until_ns) return false;
    return filters.match_labels(container.config->labels);
  });
  nlohmann::json ids;
  if (!pruned.ids.empty()) ids = pruned.ids;
  co_await send_json(response, 200, {{"ContainersDeleted", ids}, {"SpaceReclaimed", pruned.bytes}});
}

Task<void> wait_container(Api& api, Request& request, Response& response) {
  const mgr::WaitCondition condition = wait_condition(request);
  // The wait is registered before the headers go out: clients start the container as soon as they have them.
  mgr::Container::Waiter waiter = named_container(api, request)->wait(condition);
  const bool headers_first = !is_before(request, 30);
  if (headers_first) co_await response.start_stream("application/json");
  const mgr::WaitResult result = co_await waiter.result();
  nlohmann::json answer{{"StatusCode", result.exit_code}};
  if (!result.error.empty()) answer["Error"] = {{"Message", result.error}};
  if (!headers_first) {
    co_await send_json(response, 200, answer);
    co_return;
  }
  const std::string text = to_text(answer);
  co_await response.write(text);
}

Task<void> remove_container(Api& api, Request& request, Response& response) {
  if (request.query_flag("link"))
    throw Error(ErrorClass::kNotImplemented, "the removal of a link is not supported yet");
  const mgr::RemoveRequest removal{.force = request.query_flag("force"), .anonymous_volumes = request.query_flag("v")};
  co_await api.containers.remove(named_container(api, request), removal);
  co_await response.send_empty(204);
}

}  // namespace quoll::api
