// Rows of `quoll ps` and `quoll images` out of the daemon's JSON.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::cli {

enum class IdForm { kShort, kFull };

// Without "sha256:", and its first 12 digits in the short form.
std::string shown_id(std::string_view id, IdForm form);
// `"sh -c 'while true;…"`
std::string shown_command(std::string_view command, IdForm form);
// "0.0.0.0:8080->80/tcp, 443/tcp"
std::string shown_ports(const nlohmann::json& ports);
// "2 hours ago", of seconds since 1970.
std::string shown_age(std::int64_t created, std::chrono::system_clock::time_point now);

// CONTAINER ID, IMAGE, COMMAND, CREATED, STATUS, PORTS, NAMES
std::vector<std::string> container_row(const nlohmann::json& container, IdForm form,
                                       std::chrono::system_clock::time_point now);
// REPOSITORY, TAG, IMAGE ID, CREATED, SIZE: a row for each tag.
std::vector<std::vector<std::string>> image_rows(const nlohmann::json& image, IdForm form,
                                                 std::chrono::system_clock::time_point now);

}  // namespace quoll::cli
