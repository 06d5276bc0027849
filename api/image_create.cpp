// POST /images/create: pull, or import where the client names a source.
#include "api/handlers.hpp"
#include "api/json_stream.hpp"
#include "mgr/event/event_bus.hpp"
#include "mgr/registry/registry_service.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

// `docker pull x` sends the name and the tag apart, `docker pull x@sha256:...` the digest as the tag.
mgr::Reference reference_of(std::string image, const std::string& tag) {
  if (image.ends_with(':')) image.pop_back();  // how some clients ask for all tags
  if (tag.empty()) return mgr::parse_reference_as_written(image);
  return mgr::parse_reference_as_written(image + (tag.starts_with("sha256:") ? "@" : ":") + tag);
}

Task<void> pull_image(Api& api, Request& request, Response& response, std::string image) {
  mgr::PullRequest pull;
  pull.reference = reference_of(std::move(image), request.query("tag").value_or(""));
  pull.credentials = mgr::parse_auth_header(request.header("X-Registry-Auth"));
  if (const std::string platform = request.query("platform").value_or(""); !platform.empty()) {
    pull.platform = mgr::parse_platform(platform);
  }
  const mgr::LineSink sink = [&response](std::string_view lines) { return stream_lines(response, lines); };
  std::vector<std::string> tags{pull.reference.tag};
  if (pull.reference.tag.empty() && pull.reference.digest.empty()) {
    tags = co_await api.registry.tags(pull.reference, pull.credentials);
  }
  for (const std::string& tag : tags) {
    mgr::PullRequest one = pull;
    one.reference.tag = tag;
    const std::string name = one.reference.familiar();
    co_await api.registry.pull(std::move(one), sink);
    api.events.publish({"image", "pull", name, {{"name", name}}});
  }
}

// A registry that cannot be reached, or wants other credentials, is 500: at 401 the docker command asks for a password.
Error as_docker_answers(const Error& error) {
  const ErrorClass its = error.error_class();
  const bool is_registrys = its == ErrorClass::kUnavailable || its == ErrorClass::kUnauthenticated;
  return Error(is_registrys ? ErrorClass::kInternal : its, error.message());
}

}  // namespace

Task<void> create_image(Api& api, Request& request, Response& response) {
  const std::string image = request.query("fromImage").value_or("");
  if (image.empty()) {
    if (request.query("fromSrc").value_or("").empty()) {
      throw Error(ErrorClass::kInvalidArgument, "neither fromImage nor fromSrc is given");
    }
    co_return co_await import_image(api, request, response);
  }
  std::exception_ptr failure;
  try {
    co_await pull_image(api, request, response, image);
  } catch (const Error& error) {
    failure = std::make_exception_ptr(as_docker_answers(error));
  }
  co_await end_stream(response, failure);
}

}  // namespace quoll::api
