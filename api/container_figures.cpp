// GET /containers/{id}/stats and /top: what a running container does now.
#include <chrono>
#include <nlohmann/json.hpp>

#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/stats_json.hpp"
#include "api/version.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/container/process_list.hpp"
#include "task/blocking.hpp"
#include "task/timer.hpp"

namespace quoll::api {
namespace {

constexpr auto kStatsInterval = std::chrono::seconds(1);

// Nothing where it does not run.
Task<std::optional<mgr::ResourceUsage>> read_usage(const mgr::Container* container) {
  const mgr::ContainerState state = container->state();
  if (!mgr::can_kill(state.status)) co_return std::nullopt;
  co_return co_await task::blocking([&] { return mgr::read_usage(container->paths().cgroup, state.pid); });
}

}  // namespace

Task<void> stats_container(Api& api, Request& request, Response& response) {
  const auto container = named_container(api, request);
  const bool stream = request.query_flag_or("stream", true);
  std::optional<mgr::ResourceUsage> before;
  if (!stream) {
    // One answer has two readings in it, unless the client does the subtraction itself.
    const bool one_reading = request.query_flag("one-shot") && !is_before(request, 41);
    if (!one_reading && mgr::can_kill(container->state().status)) {
      before = co_await read_usage(container.get());
      co_await task::sleep_for(kStatsInterval);
    }
    const std::optional<mgr::ResourceUsage> now = co_await read_usage(container.get());
    co_await send_json(response, 200, stats_json(container->snapshot(), before, now));
    co_return;
  }
  co_await response.start_stream("application/json");
  while (!container->removed()) {
    std::optional<mgr::ResourceUsage> now = co_await read_usage(container.get());
    const std::string line = to_text(stats_json(container->snapshot(), before, now));
    co_await response.write(line);
    before = std::move(now);
    co_await task::sleep_for(kStatsInterval);
  }
}

Task<void> top_container(Api& api, Request& request, Response& response) {
  const auto container = named_container(api, request);
  const mgr::ProcessList list = co_await mgr::list_processes(*container, request.query("ps_args").value_or("-ef"));
  api.containers.publish(*container, "top");
  co_await send_json(response, 200, {{"Titles", list.titles}, {"Processes", list.processes}});
}

}  // namespace quoll::api
