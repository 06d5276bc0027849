// POST /commit and /containers/{id}/changes
#include <nlohmann/json.hpp>

#include "api/handlers.hpp"
#include "api/image_request.hpp"
#include "api/json_body.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/files/tree_changes.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

// Docker's clients send the container's settings, null, or nothing at all.
Task<json> read_optional_json(Request* request) {
  const std::string text = co_await request->read_body_all(kJsonBodyBytesMax);
  if (text.empty()) co_return json();
  json body = json::parse(text, nullptr, false);
  if (!body.is_object() && !body.is_null()) {
    throw Error(ErrorClass::kInvalidArgument, "invalid JSON: the body is not a JSON object");
  }
  co_return body;
}

}  // namespace

Task<void> commit_container(Api& api, Request& request, Response& response) {
  const auto container = api.containers.find(request.query("container").value_or(""));
  mgr::CommitRequest commit;
  commit.reference = reference_of(request);
  commit.author = request.query("author").value_or("");
  commit.comment = request.query("comment").value_or("");
  commit.pause = !request.query("pause") || request.query_flag("pause");
  commit.changes = changes_of(request);
  commit.config = co_await read_optional_json(&request);
  const mgr::Image image = co_await api.containers.commit(container, std::move(commit));
  co_await send_json(response, 201, {{"Id", image.id}});
}

Task<void> changes_container(Api& api, Request& request, Response& response) {
  const auto container = named_container(api, request);
  const auto changes = co_await task::blocking([&](const std::stop_token& stop) {
    return mgr::tree_changes(container->paths().directory + "/upper", api.containers.layers_of(*container), stop);
  });
  json list = json::array();
  for (const mgr::Change& change : changes) {
    list.push_back({{"Path", change.path}, {"Kind", static_cast<int>(change.kind)}});
  }
  co_await send_json(response, 200, list);
}

}  // namespace quoll::api
