// Docker's image references: "busybox", "localhost:5000/team/app:1.2", "alpine@sha256:...".
#pragma once

#include <string>
#include <string_view>

namespace quoll::mgr {

// A parsed reference in its full form. Values that parse_reference made are valid and normalised.
struct Reference {
  std::string domain;  // "docker.io", "localhost:5000"
  std::string path;    // "library/busybox"
  std::string tag;     // empty when only a digest, or neither, was given
  std::string digest;  // "sha256:<hex>" or empty

  // "docker.io/library/busybox"
  std::string name() const { return domain + "/" + path; }

  // The key under which a store keeps it: name and digest when there is a digest (it decides then), else name:tag.
  std::string canonical() const;

  // As people write it: without docker.io/ and library/. "busybox:latest"
  std::string familiar() const;
  std::string familiar_name() const;

  friend bool operator==(const Reference&, const Reference&) = default;
};

// Parses and normalises what a user wrote; the tag "latest" is added when neither tag nor digest is given.
//
// Errors:   kInvalidArgument "invalid reference format" and Docker's other sentences.
Reference parse_reference(std::string_view text);

// The same without adding a tag.
Reference parse_reference_as_written(std::string_view text);

}  // namespace quoll::mgr
