#include "daemon/engine_metrics.hpp"

#include <map>
#include <string>

namespace quoll::daemon {

void add_engine_metrics(debug::Metrics& metrics, const mgr::ContainerManager& containers,
                        const mgr::ImageStore& images) {
  // All states that users watch for are there from the beginning, so that a graph has no holes.
  std::map<std::string, double> states{{"created", 0}, {"running", 0}, {"exited", 0}};
  for (const mgr::ContainerSnapshot& container : containers.list()) {
    states[std::string(mgr::to_string(container.state.status))] += 1;
  }
  metrics.begin("quoll_containers", debug::MetricType::kGauge, "Containers by state.");
  for (const auto& [state, count] : states) metrics.add({{"state", state}}, count);
  metrics.add_one("quoll_images", debug::MetricType::kGauge, "Images.", static_cast<double>(images.list().size()));
}

}  // namespace quoll::daemon
