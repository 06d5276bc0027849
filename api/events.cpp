// GET /events
#include <nlohmann/json.hpp>

#include "api/event_json.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "mgr/event/event_bus.hpp"
#include "mgr/log/log_filter.hpp"
#include "task/error.hpp"

namespace quoll::api {

Task<void> events(Api& api, Request& request, Response& response) {
  const Filters filters(request.query("filters"),
                        {"config", "container", "daemon", "event", "image", "label", "network", "node", "plugin",
                         "scope", "secret", "service", "type", "volume"});
  mgr::EventQuery query;
  query.since_ns = mgr::parse_since(request.query("since").value_or(""));
  query.until_ns = mgr::parse_until(request.query("until").value_or(""));
  if (query.since_ns && query.until_ns && *query.since_ns > *query.until_ns) {
    throw Error(ErrorClass::kInvalidArgument, "`since` time (" + request.query("since").value_or("") +
                                                  ") cannot be after `until` time (" +
                                                  request.query("until").value_or("") + ")");
  }
  query.wanted = [&filters](const mgr::Event& event) { return match_event(filters, event); };
  // Made before the headers go out: who has them may count on every later event.
  mgr::EventFollower follower(api.events, std::move(query));
  co_await response.start_stream("application/json");
  while (const auto event = co_await follower.next()) {
    const std::string line = to_text(event_json(*event));
    co_await response.write(line);
  }
}

}  // namespace quoll::api
