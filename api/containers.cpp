// /containers, but for logs.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "api/container_json.hpp"
#include "api/container_size.hpp"
#include "api/filters.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
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

std::optional<int> query_number(const Request& request, std::string_view name) {
  const std::optional<std::string> text = request.query(name);
  if (!text || text->empty()) return std::nullopt;
  int number = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size()) {
    throw Error(ErrorClass::kInvalidArgument, "invalid value for \"" + std::string(name) + "\": " + *text);
  }
  return number;
}

mgr::StopRequest stop_request(const Request& request) {
  return {.timeout_s = query_number(request, "t"),
          .signal = is_before(request, 42) ? "" : request.query("signal").value_or("")};
}

bool is_in_network(const ContainerSnapshot& container, const std::string& wanted) {
  return std::ranges::any_of(container.state.network->attachments, [&](const mgr::Attachment& attachment) {
    return attachment.network_name == wanted || attachment.network_id == wanted;
  });
}

std::string_view health_word(const ContainerSnapshot& container) {
  return container.health ? mgr::to_string(container.health->status) : "none";
}

bool has_mount(const ContainerSnapshot& container, const std::string& wanted) {
  return std::ranges::any_of(container.config->mounts, [&wanted](const mgr::MountConfig& mount) {
    return mount.target == wanted || mount.source == wanted;
  });
}

// "80", "80/udp" or "8000-8010/tcp".
struct PortRange {
  int first = 0;
  int last = 0;
  std::string protocol = "tcp";

  bool has(int number, std::string_view of_protocol) const {
    return number >= first && number <= last && of_protocol == protocol;
  }
};

PortRange parse_ports(const std::string& filter, const std::string& text) {
  PortRange range;
  char protocol[8] = "tcp";
  const bool two = std::sscanf(text.c_str(), "%d-%d/%7s", &range.first, &range.last, protocol) >= 2;
  if (!two && std::sscanf(text.c_str(), "%d/%7s", &range.first, protocol) < 1) {
    throw Error(ErrorClass::kInvalidArgument, "invalid filter '" + filter + "=" + text + "'");
  }
  if (!two) range.last = range.first;
  range.protocol = protocol;
  return range;
}

bool exposes(const ContainerSnapshot& container, const PortRange& wanted) {
  return std::ranges::any_of(container.config->exposed_ports, [&wanted](const std::string& port) {
    const std::size_t slash = port.find('/');
    return wanted.has(std::atoi(port.c_str()), slash == std::string::npos ? "tcp" : port.substr(slash + 1));
  });
}

bool publishes(const ContainerSnapshot& container, const PortRange& wanted) {
  return std::ranges::any_of(container.config->host.port_bindings, [&wanted](const mgr::PortBinding& binding) {
    return wanted.has(binding.container.number, mgr::to_string(binding.container.protocol));
  });
}

void check_words(const Filters& filters, const char* filter, std::initializer_list<std::string_view> known) {
  for (const std::string& word : filters.values(filter)) {
    if (std::ranges::find(known, word) != known.end()) continue;
    throw Error(ErrorClass::kInvalidArgument, std::string("Unrecognised filter value for ") + filter + ": " + word);
  }
}

void check_exit_code(const std::string& text) {
  int code = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorClass::kInvalidArgument, "invalid filter 'exited=" + text + "'");
  }
}

// The list filters of one request.
class Selection {
 public:
  Selection(Api& api, const Request& request)
      : filters_(request.query("filters"),
                 {"ancestor", "before", "since", "exited", "expose", "health", "id", "is-task", "isolation", "label",
                  "name", "network", "publish", "status", "volume"}),
        limit_(query_number(request, "limit").value_or(0)),
        all_(request.query_flag("all") || limit_ > 0 || filters_.has("status") || filters_.has("exited") ||
             filters_.has("before") || filters_.has("since") || request.query("before") || request.query("since")) {
    for (const char* filter : {"expose", "publish"}) {
      for (const std::string& ports : filters_.values(filter)) parse_ports(filter, ports);
    }
    check_words(filters_, "status", {"created", "running", "paused", "restarting", "removing", "exited", "dead"});
    check_words(filters_, "health", {"none", "starting", "healthy", "unhealthy"});
    for (const std::string& code : filters_.values("exited")) check_exit_code(code);
    is_task_ = filters_.flag("is-task").value_or(false);
    before_ns_ = created_ns(api, request, "before");
    since_ns_ = created_ns(api, request, "since");
  }

  // Whether find_images() is to be called before has().
  bool needs_images() const { return filters_.has("ancestor"); }

  // Blocks.
  void find_images(const mgr::ImageStore& store) {
    for (const std::string& image : filters_.values("ancestor")) images_.merge(store.with_descendants(image));
  }

  bool has(const ContainerSnapshot& container) const {
    if (!all_ && !mgr::is_running(container.state.status)) return false;
    if (before_ns_ && container.created_ns >= *before_ns_) return false;
    if (since_ns_ && container.created_ns <= *since_ns_) return false;
    return filters_.allows("status", mgr::to_string(container.state.status)) && filters_.matches("id", container.id) &&
           !is_task_ && (filters_.matches("name", "/" + container.name) || filters_.matches("name", container.name)) &&
           filters_.any("exited",
                        [&](const std::string& code) {
                          return container.state.status == mgr::ContainerStatus::kExited &&
                                 std::to_string(container.state.exit_code) == code;
                        }) &&
           filters_.any("network", [&](const std::string& wanted) { return is_in_network(container, wanted); }) &&
           (!needs_images() || images_.contains(container.image_id)) &&
           filters_.any("health", [&](const std::string& word) { return health_word(container) == word; }) &&
           filters_.any("volume", [&](const std::string& name) { return has_mount(container, name); }) &&
           filters_.any("expose",
                        [&](const std::string& ports) { return exposes(container, parse_ports("expose", ports)); }) &&
           filters_.any(
               "publish",
               [&](const std::string& ports) { return publishes(container, parse_ports("publish", ports)); }) &&
           filters_.match_labels(container.config->labels);
  }
  bool full(std::size_t count) const { return limit_ > 0 && count >= static_cast<std::size_t>(limit_); }

 private:
  // Of the container that the filter, or the parameter of old clients, names.
  std::optional<std::int64_t> created_ns(const Api& api, const Request& request, const char* key) const {
    std::string named = request.query(key).value_or("");
    if (filters_.has(key)) named = *filters_.values(key).rbegin();
    if (named.empty()) return std::nullopt;
    return api.containers.find(named)->snapshot().created_ns;
  }

  const Filters filters_;
  const int limit_;
  const bool all_;
  bool is_task_ = false;  // of a swarm, which there is none of
  std::optional<std::int64_t> before_ns_;
  std::optional<std::int64_t> since_ns_;
  std::set<std::string> images_;  // ids of the ancestors and of what was made from them
};

// With `stop`, the containers' sizes are looked up too, which blocks.
std::shared_ptr<const std::string> list_answer(Api& api, const Selection& selection, std::int64_t now_ns,
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
  Selection selection(api, request);
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
