// What several routes of images read from their requests.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <stop_token>

#include "http/request.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/image/image.hpp"
#include "mgr/image/reference.hpp"
#include "task/task.hpp"

namespace quoll::api {

// The parameters `repo` and `tag`; nothing where there is no repository. Errors: kInvalidArgument.
std::optional<mgr::Reference> reference_of(const http::Request& request);

// The platforms that the values of a parameter name in JSON; none for versions before 1.`since`, which do not know it.
// Errors: kInvalidArgument.
std::vector<mgr::Platform> platforms_of(const http::Request& request, std::string_view parameter, int since);
// Errors: kNotFound in Docker's words where `wanted` has others only.
void check_platform(const mgr::Image& image, const std::string& name, const std::vector<mgr::Platform>& wanted);

// The `changes` of commit and import, one instruction each.
std::vector<std::string> changes_of(const http::Request& request);

// The next bytes of a body, 0 at its end.
using BodyReader = std::function<task::Task<std::size_t>(std::span<char>)>;
using BodyConsumer = std::function<void(const mgr::ByteSource&, const std::stop_token&)>;

// Runs `consume`, which blocks, while the body comes, at its peer's pace and in bounded memory. The body is read to its
// end even where nobody wants it any more: a client that is kept from sending does not look for the answer.
//
// Cancel: `consume` gets kCancelled from its source and has ended.
// Errors: what `read` throws; else what `consume` throws.
task::Task<void> consume_body(BodyReader read, BodyConsumer consume);

// The same for what can take large blocks where they lie, so that they are copied once less.
using BlockConsumer = std::function<void(const mgr::BlockSource&, const std::stop_token&)>;
task::Task<void> consume_body_in_blocks(BodyReader read, BlockConsumer consume);

}  // namespace quoll::api
