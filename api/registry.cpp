// Push, login, and what a registry says of an image.
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/json_stream.hpp"
#include "mgr/event/event_bus.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/registry/registry_service.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

json platform_json(const mgr::Platform& platform) {
  json value{{"architecture", platform.architecture}, {"os", platform.os}};
  if (!platform.variant.empty()) value["variant"] = platform.variant;
  return value;
}

// The tags of a repository here, for a push of all.
std::vector<std::string> local_tags(const mgr::ImageStore& images, const mgr::Reference& repository) {
  std::vector<std::string> tags;
  for (const mgr::Image& image : images.list()) {
    for (const std::string& name : image.repo_tags) {
      const mgr::Reference reference = mgr::parse_reference(name);
      if (reference.name() == repository.name()) tags.push_back(reference.tag);
    }
  }
  if (tags.empty()) {
    throw Error(ErrorClass::kNotFound, "An image does not exist locally with the tag: " + repository.familiar_name());
  }
  return tags;
}

Task<void> push_tags(Api& api, Response& response, mgr::PushRequest push) {
  const mgr::LineSink sink = [&response](std::string_view lines) { return stream_lines(response, lines); };
  std::vector<std::string> tags{push.reference.tag};
  if (push.reference.tag.empty()) {
    tags = co_await task::blocking([&] { return local_tags(api.images, push.reference); });
  }
  for (const std::string& tag : tags) {
    mgr::PushRequest one = push;
    one.reference.tag = tag;
    const std::string name = one.reference.familiar();
    co_await api.registry.push(std::move(one), sink);
    api.events.publish({"image", "push", name, {{"name", name}}});
  }
}

}  // namespace

Task<void> push_image(Api& api, Request& request, Response& response) {
  std::string name(request.param("name"));
  if (const std::string tag = request.query("tag").value_or(""); !tag.empty()) name += ":" + tag;
  mgr::PushRequest push{mgr::parse_reference_as_written(name),
                        mgr::parse_auth_header(request.header("X-Registry-Auth"))};
  if (!push.reference.digest.empty()) {
    throw Error(ErrorClass::kInvalidArgument, "cannot push a digest reference");
  }
  if (!request.query("platform").value_or("").empty()) {
    throw Error(ErrorClass::kNotImplemented, "push of one platform is not supported yet");
  }
  std::exception_ptr failure;
  try {
    co_await push_tags(api, response, std::move(push));
  } catch (const Error&) {
    failure = std::current_exception();
  }
  co_await end_stream(response, failure);
}

Task<void> login_registry(Api& api, Request& request, Response& response) {
  const std::string body = co_await request.read_body_all(kJsonBodyBytesMax);
  co_await api.registry.login(mgr::parse_credentials(body));
  co_await send_json(response, 200, {{"Status", "Login Succeeded"}, {"IdentityToken", ""}});
}

Task<void> inspect_distribution(Api& api, Request& request, Response& response) {
  const mgr::Reference reference = mgr::parse_reference(request.param("name"));
  const mgr::DistributionFacts facts =
      co_await api.registry.inspect(reference, mgr::parse_auth_header(request.header("X-Registry-Auth")));
  json platforms = json::array();
  for (const mgr::Platform& platform : facts.platforms) platforms.push_back(platform_json(platform));
  co_await send_json(response, 200,
                     {{"Descriptor",
                       {{"mediaType", facts.descriptor.media_type},
                        {"digest", facts.descriptor.digest},
                        {"size", facts.descriptor.size}}},
                      {"Platforms", std::move(platforms)}});
}

}  // namespace quoll::api
