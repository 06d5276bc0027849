// What happened to a container, an image, a network, a volume, or the daemon.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace quoll::mgr {

// Name, image, labels, and what belongs to the action.
using EventAttributes = std::map<std::string, std::string>;

// Type and action are Docker's words. Fixed once it is published.
struct Event {
  std::string type;            // required: "container", "image", "network", "volume", "daemon", ...
  std::string action;          // required: "start", "die", "exec_create: sh -c ls", ...
  std::string actor_id;        // required: of the object that it happened to
  EventAttributes attributes;  // whatever the kind of event has
  std::int64_t time_ns = 0;    // set by EventBus::publish()
};

}  // namespace quoll::mgr
