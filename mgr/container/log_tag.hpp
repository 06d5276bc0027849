// The log option `tag`: a name for a container's lines, by a template of Docker's.
#pragma once

#include <string>

namespace quoll::mgr {

// What a template can name.
struct LogTagFacts {
  std::string id, name;  // in full; the name without slash
  std::string image_id;  // "sha256:..."
  std::string image;     // the reference that the container was made by
  std::string command;   // with its arguments
};

// "{{.Name}}/{{.ID}}" filled in. There are .ID, .FullID, .Name, .ImageID, .ImageFullID, .ImageName, .Command and
// .DaemonName; the short ids are the first 12 characters, for an image's "sha256:" included, as in Docker.
//
// Errors: kInvalidArgument for an action that does not end; kNotImplemented for any other action of Go's templates.
std::string expand_log_tag(const std::string& format, const LogTagFacts& facts);

}  // namespace quoll::mgr
