// Fields that answers had in older versions of the API and have no more. Each function looks at the version that is
// asked for and leaves the answers for newer ones alone.
//
// Source: the examples of version 1.24, and what the API's history says of later removals.
#pragma once

#include <nlohmann/json.hpp>

#include "http/request.hpp"

namespace quoll::api {

void add_old_container_fields(const http::Request& request, nlohmann::json& inspected);
// Beside the size of an image, in a list and in its inspect.
void add_virtual_size(const http::Request& request, nlohmann::json& image);
// Of a list: an image without a name had one that says so.
void name_nameless_image(const http::Request& request, nlohmann::json& listed);
void add_old_image_fields(const http::Request& request, nlohmann::json& inspected);
void add_old_exec_fields(const http::Request& request, nlohmann::json& created);
void add_old_df_fields(const http::Request& request, nlohmann::json& df);
void add_old_info_fields(const http::Request& request, nlohmann::json& info);

}  // namespace quoll::api
