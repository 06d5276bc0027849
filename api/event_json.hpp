// Events as Docker's clients see and choose them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "api/filters.hpp"
#include "mgr/event/event.hpp"

namespace quoll::api {

// A line of GET /events, with the `status`, `id` and `from` that clients of before 1.22 read.
nlohmann::json event_json(const mgr::Event& event);

// Whether the filters of a request let the event through, by Docker's rules: a name or an id may be given by its
// beginning, `health_status`, `exec_create` and `exec_start` stand for what follows their colon.
bool match_event(const Filters& filters, const mgr::Event& event);

}  // namespace quoll::api
