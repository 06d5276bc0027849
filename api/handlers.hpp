// All handlers of the API, one function a route; each file of this folder has those of one resource.
//
// Cancel: where the table says so, the client's leaving ends the handler at its next await.
// Errors: thrown; the server renders them as Docker does.
#pragma once

#include "api/api.hpp"

namespace quoll::api {

using http::Request;
using http::Response;
using task::Task;

// The container that the route's {id} names, by id, name, or the head of an id; dumps show it beside the request from
// then on. Every handler whose route names a container finds it so. Errors: kNotFound, or kInvalidArgument where
// several ids begin so.
std::shared_ptr<mgr::Container> named_container(Api& api, const Request& request);
// Where the container is found by other ways.
void label_request(const Request& request, const mgr::Container& container);

// system.cpp
Task<void> ping(Api& api, Request& request, Response& response);
Task<void> version(Api& api, Request& request, Response& response);
Task<void> info(Api& api, Request& request, Response& response);

// events.cpp
Task<void> events(Api& api, Request& request, Response& response);

// containers.cpp
Task<void> create_container(Api& api, Request& request, Response& response);
Task<void> list_containers(Api& api, Request& request, Response& response);
Task<void> inspect_container(Api& api, Request& request, Response& response);
Task<void> start_container(Api& api, Request& request, Response& response);
Task<void> stop_container(Api& api, Request& request, Response& response);
Task<void> restart_container(Api& api, Request& request, Response& response);
Task<void> kill_container(Api& api, Request& request, Response& response);
Task<void> pause_container(Api& api, Request& request, Response& response);
Task<void> unpause_container(Api& api, Request& request, Response& response);
Task<void> rename_container(Api& api, Request& request, Response& response);
Task<void> update_container(Api& api, Request& request, Response& response);
Task<void> prune_containers(Api& api, Request& request, Response& response);
Task<void> wait_container(Api& api, Request& request, Response& response);
Task<void> remove_container(Api& api, Request& request, Response& response);

// archive.cpp
Task<void> stat_archive(Api& api, Request& request, Response& response);
Task<void> get_archive(Api& api, Request& request, Response& response);
Task<void> put_archive(Api& api, Request& request, Response& response);
Task<void> export_container(Api& api, Request& request, Response& response);
// networks.cpp
Task<void> create_network(Api& api, Request& request, Response& response);
Task<void> list_networks(Api& api, Request& request, Response& response);
Task<void> inspect_network(Api& api, Request& request, Response& response);
Task<void> remove_network(Api& api, Request& request, Response& response);
Task<void> connect_network(Api& api, Request& request, Response& response);
Task<void> disconnect_network(Api& api, Request& request, Response& response);
Task<void> prune_networks(Api& api, Request& request, Response& response);

// attach.cpp
Task<void> attach_container(Api& api, Request& request, Response& response);
Task<void> attach_websocket(Api& api, Request& request, Response& response);
Task<void> resize_container(Api& api, Request& request, Response& response);

// exec.cpp
Task<void> create_exec(Api& api, Request& request, Response& response);
Task<void> start_exec(Api& api, Request& request, Response& response);
Task<void> resize_exec(Api& api, Request& request, Response& response);
Task<void> inspect_exec(Api& api, Request& request, Response& response);

// commit.cpp
Task<void> commit_container(Api& api, Request& request, Response& response);
Task<void> changes_container(Api& api, Request& request, Response& response);

// system_df.cpp
Task<void> disk_usage(Api& api, Request& request, Response& response);

// container_figures.cpp
Task<void> stats_container(Api& api, Request& request, Response& response);
Task<void> top_container(Api& api, Request& request, Response& response);

// logs.cpp
Task<void> logs_container(Api& api, Request& request, Response& response);

// image_create.cpp
Task<void> create_image(Api& api, Request& request, Response& response);

// registry.cpp
Task<void> push_image(Api& api, Request& request, Response& response);
Task<void> login_registry(Api& api, Request& request, Response& response);
Task<void> inspect_distribution(Api& api, Request& request, Response& response);

// images.cpp
Task<void> list_images(Api& api, Request& request, Response& response);
Task<void> inspect_image(Api& api, Request& request, Response& response);
Task<void> history_image(Api& api, Request& request, Response& response);
Task<void> tag_image(Api& api, Request& request, Response& response);
Task<void> remove_image(Api& api, Request& request, Response& response);
Task<void> prune_images(Api& api, Request& request, Response& response);
Task<void> search_images(Api& api, Request& request, Response& response);

// image_archives.cpp
Task<void> load_images(Api& api, Request& request, Response& response);
Task<void> get_image(Api& api, Request& request, Response& response);
Task<void> get_images(Api& api, Request& request, Response& response);
// POST /images/create with `fromSrc`.
Task<void> import_image(Api& api, Request& request, Response& response);

// build.cpp
Task<void> build_image(Api& api, Request& request, Response& response);
Task<void> prune_builds(Api& api, Request& request, Response& response);

// volumes.cpp
Task<void> list_volumes(Api& api, Request& request, Response& response);
Task<void> create_volume(Api& api, Request& request, Response& response);
Task<void> inspect_volume(Api& api, Request& request, Response& response);
Task<void> remove_volume(Api& api, Request& request, Response& response);
Task<void> prune_volumes(Api& api, Request& request, Response& response);

}  // namespace quoll::api
