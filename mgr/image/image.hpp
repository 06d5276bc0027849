// What the store knows of one image, and the reading of an image's configuration.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/image/image_index.hpp"
#include "mgr/image/platform.hpp"

namespace quoll::mgr {

// A snapshot; it does not follow later changes of the store.
struct Image {
  std::string id;                         // digest of the configuration
  std::vector<std::string> repo_tags;     // familiar form, sorted: "busybox:latest"
  std::vector<std::string> repo_digests;  // familiar form, sorted: "busybox@sha256:..."
  std::vector<std::string> diff_ids;      // base layer first
  std::vector<std::string> chain_ids;     // beside diff_ids
  std::string parent;                     // id of the image that it was made from on this host; may be empty
  BuildRole build = BuildRole::kNone;     // what builds on this host have to do with it
  std::string manifest;                   // digest of its OCI manifest, a blob of the store
  nlohmann::json config;                  // the whole configuration, as OCI's image-spec and Docker define it
  std::int64_t size = 0;                  // bytes of the regular files of all layers
  std::string created;                    // RFC 3339 as the configuration says; may be empty
  std::int64_t created_seconds = 0;       // the same since 1970; 0 when it says nothing
  std::string architecture;
  std::string os;
  std::string variant;      // may be empty
  std::string last_tagged;  // RFC 3339; when a reference was last set here; empty when never

  Platform platform() const { return {os, architecture, variant}; }
  // The container part of the configuration ("Env", "Cmd", ...): an object, empty when there is none.
  nlohmann::json container_config() const;
  std::map<std::string, std::string> labels() const;
};

// Parses JSON from outside: bounded in nesting, so that nothing recursive can overflow on it later.
//
// Errors:   kInvalidArgument naming `what`.
nlohmann::json parse_untrusted_json(std::string_view text, std::string_view what);

// The fields of `Image` that the configuration decides: id, diff_ids, chain_ids, config, created, architecture, os.
// What it says has Docker's types (see check_config_types()).
//
// Errors:   kInvalidArgument when it is no image configuration.
Image parse_image_config(std::string_view text);

// Seconds since 1970 of "2024-05-01T12:00:00.123Z" or with "+02:00"; 0 for anything else.
std::int64_t rfc3339_seconds(std::string_view text);

// Whether a step of a configuration's history changed settings alone.
bool is_empty_layer(const nlohmann::json& step);

// The string at `key`, or "" when there is none or it is none.
std::string json_string(const nlohmann::json& object, std::string_view key);

}  // namespace quoll::mgr
