#include "debug/summary.hpp"

#include <nlohmann/json.hpp>

#include "task/scope.hpp"
#include "task/worker.hpp"

namespace quoll::debug {
namespace {

using nlohmann::json;

json to_json(const Place& place) { return {{"function", place.function}, {"file", place.file}, {"line", place.line}}; }

double seconds(std::chrono::nanoseconds duration) { return static_cast<double>(duration.count() / 1'000'000) / 1000; }

}  // namespace

TaskSummary summarize(const TaskView& task) {
  const task::TaskRecord& record = task.record;
  TaskSummary summary;
  summary.id = record.id;
  summary.name = record.name;
  summary.scope = record.scope->name();
  summary.worker = record.worker->name();
  summary.state = record.state;
  summary.waited = task.waited();
  summary.age = std::chrono::nanoseconds(std::max<std::int64_t>(0, task.now_ns - record.started_ns));
  summary.holder_id = task.holder_id();
  summary.creator_id = record.creator_id;
  summary.created_at = &place_of(record.created_at);
  summary.frames.assign(task.frames.begin(), task.frames.end());
  if (record.cancel != nullptr && record.cancel->cancelled()) {
    summary.cancel_reason = record.cancel->reason();
    const std::int64_t ago = task.now_ns - record.cancel->cancelled_at_ns();
    summary.cancelled_ago = std::chrono::nanoseconds(std::max<std::int64_t>(0, ago));
  }
  if (const task::Labels* const labels = record.labels) {
    summary.request_id = labels->request_id;
    summary.method = labels->method;
    summary.path = labels->path;
    summary.route = labels->route;
    summary.client = labels->client;
    summary.container = labels->container;
  }
  return summary;
}

void append_json(std::string& out, const TaskSummary& task) {
  json object = {{"id", task.id},
                 {"name", task.name},
                 {"scope", task.scope},
                 {"worker", task.worker},
                 {"state", task::to_string(task.state)},
                 {"waited_seconds", seconds(task.waited)},
                 {"age_seconds", seconds(task.age)},
                 {"created_by", task.creator_id}};
  if (task.holder_id != 0) object["held_by"] = task.holder_id;
  if (task.created_at != nullptr) object["created_at"] = to_json(*task.created_at);
  json& frames = object["frames"] = json::array();
  for (const Place* place : task.frames) frames.push_back(to_json(*place));
  if (task.cancel_reason != task::CancelReason::kNone) {
    object["cancelled"] = {{"reason", task::to_string(task.cancel_reason)}, {"seconds", seconds(task.cancelled_ago)}};
  }
  if (task.request_id != 0) {
    object["request"] = {{"id", task.request_id}, {"method", task.method}, {"path", task.path},
                         {"route", task.route},   {"client", task.client}, {"container", task.container}};
  }
  out += object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace quoll::debug
