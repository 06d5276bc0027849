#include "api/handlers.hpp"
#include "mgr/container/container_manager.hpp"

namespace quoll::api {

std::shared_ptr<mgr::Container> named_container(Api& api, const Request& request) {
  std::shared_ptr<mgr::Container> container = api.containers.find(request.param("id"));
  label_request(request, *container);
  return container;
}

void label_request(const Request& request, const mgr::Container& container) {
  request.labels().set_container(container.name(), container.id());
}

}  // namespace quoll::api
