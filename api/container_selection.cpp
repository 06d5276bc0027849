#include "api/container_selection.hpp"

#include <algorithm>

#include "api/numbers.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/image/image_store.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using mgr::ContainerSnapshot;

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
  int first;
  int last;
  std::string protocol;

  bool has(int number, std::string_view of_protocol) const {
    return number >= first && number <= last && of_protocol == protocol;
  }
};

std::optional<PortRange> port_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view numbers = text.substr(0, slash);
  const std::size_t dash = numbers.find('-');
  const auto first = whole_number(numbers.substr(0, dash));
  const auto last = dash == numbers.npos ? first : whole_number(numbers.substr(dash + 1));
  if (!first || !last) return std::nullopt;
  return PortRange{*first, *last, slash == text.npos ? "tcp" : std::string(text.substr(slash + 1))};
}

bool exposes(const ContainerSnapshot& container, const PortRange& wanted) {
  return std::ranges::any_of(container.config->exposed_ports, [&wanted](const std::string& port) {
    const std::optional<PortRange> exposed = port_range(port);
    return exposed && wanted.has(exposed->first, exposed->protocol);
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

[[noreturn]] void refuse(const std::string& filter, const std::string& value) {
  throw Error(ErrorClass::kInvalidArgument, "invalid filter '" + filter + "=" + value + "'");
}

}  // namespace

ContainerSelection::ContainerSelection(Api& api, const Request& request)
    : filters_(request.query("filters"), {"ancestor", "before", "since", "exited", "expose", "health", "id", "is-task",
                                          "isolation", "label", "name", "network", "publish", "status", "volume"}),
      limit_(query_number(request, "limit").value_or(0)),
      all_(request.query_flag("all") || limit_ > 0 || filters_.has("status") || filters_.has("exited") ||
           filters_.has("before") || filters_.has("since") || request.query("before") || request.query("since")) {
  for (const char* filter : {"expose", "publish"}) {
    for (const std::string& ports : filters_.values(filter)) {
      if (!port_range(ports)) refuse(filter, ports);
    }
  }
  check_words(filters_, "status", {"created", "running", "paused", "restarting", "removing", "exited", "dead"});
  check_words(filters_, "health", {"none", "starting", "healthy", "unhealthy"});
  for (const std::string& code : filters_.values("exited")) {
    if (!whole_number(code)) refuse("exited", code);
  }
  is_task_ = filters_.flag("is-task").value_or(false);
  before_ns_ = created_ns(api, request, "before");
  since_ns_ = created_ns(api, request, "since");
}

void ContainerSelection::find_images(const mgr::ImageStore& store) {
  for (const std::string& image : filters_.values("ancestor")) images_.merge(store.with_descendants(image));
}

bool ContainerSelection::has(const ContainerSnapshot& container) const {
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
         filters_.any("expose", [&](const std::string& ports) { return exposes(container, *port_range(ports)); }) &&
         filters_.any("publish", [&](const std::string& ports) { return publishes(container, *port_range(ports)); }) &&
         filters_.match_labels(container.config->labels);
}

// Of the container that the filter, or the parameter of old clients, names.
std::optional<std::int64_t> ContainerSelection::created_ns(const Api& api, const Request& request,
                                                           const char* key) const {
  std::string named = request.query(key).value_or("");
  if (filters_.has(key)) named = *filters_.values(key).rbegin();
  if (named.empty()) return std::nullopt;
  return api.containers.find(named)->snapshot().created_ns;
}

}  // namespace quoll::api
