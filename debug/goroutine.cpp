#include "debug/goroutine.hpp"

#include <charconv>
#include <chrono>
#include <optional>
#include <string>

#include "debug/answers.hpp"
#include "debug/dump.hpp"
#include "debug/dump_history.hpp"
#include "debug/json_text.hpp"
#include "debug/profile.hpp"
#include "task/clock.hpp"
#include "task/error.hpp"
#include "task/timer.hpp"

namespace quoll::debug {
namespace {

std::chrono::nanoseconds since_epoch() { return std::chrono::system_clock::now().time_since_epoch(); }

void set_attachment(http::Response& response, std::string_view name) {
  response.set_header("Content-Disposition", "attachment; filename=\"" + std::string(name) + "\"");
}

// debug=2: streamed as the walk goes on.
task::Task<void> send_text(task::Runtime& runtime, DumpOptions options, http::Response& response) {
  TextSink sink = [&response](std::string_view piece) { return write_piece(response, piece, kPlainText); };
  const WalkFacts facts = co_await stream_text(runtime, std::move(options), std::move(sink));
  co_await end_stream(response, facts, kPlainText);
}

// debug=1.
task::Task<void> send_legacy_text(task::Runtime& runtime, std::string_view name, DumpOptions options,
                                  http::Response& response) {
  WalkFacts facts;
  const StackCounts counts = co_await count_stacks(runtime, std::move(options), &facts);
  const std::string text = legacy_text(counts.sorted(), name);
  set_nosniff(response);
  set_facts_as_headers(response, facts);
  co_await response.send(text, kPlainText);
}

// debug=0; over `delta` the difference between its end and its beginning.
task::Task<void> send_profile(task::Runtime& runtime, std::string_view name, DumpOptions options,
                              std::chrono::seconds delta, http::Response& response) {
  WalkFacts facts;
  std::optional<std::chrono::nanoseconds> duration;
  StackCounts before;
  if (delta.count() > 0) {
    duration = delta;
    before = co_await count_stacks(runtime, options);
    co_await task::sleep_for(delta);
  }
  StackCounts counts = co_await count_stacks(runtime, std::move(options), &facts);
  counts.merge(before, -1);
  const std::string profile = gzip_profile(counts.sorted(), {since_epoch(), duration});
  set_nosniff(response);
  set_attachment(response, std::string(name) + (duration ? "-delta" : ""));
  set_facts_as_headers(response, facts);
  co_await response.send(profile, kOctets);
}

// One sample a task, so it is streamed.
struct TaskProfile {
  TaskProfile(http::Response& to, std::string_view name_of_it)
      : response(to), name(name_of_it), profile(goroutine_kind(), {since_epoch(), {}}) {}
  http::Response& response;
  const std::string_view name;
  ProfileWriter profile;
  GzipStream gzip;
};

task::Task<void> write_samples(TaskProfile& out, const std::vector<TaskSummary>& tasks) {
  if (!out.response.headers_sent()) set_attachment(out.response, out.name);
  for (const TaskSummary& task : tasks) add_task(out.profile, task);
  const std::string piece = out.gzip.compress(out.profile.take(), false);
  co_await write_piece(out.response, piece, kOctets);
}

// debug=3.
task::Task<void> send_task_profile(task::Runtime& runtime, std::string_view name, DumpOptions options,
                                   http::Response& response) {
  TaskProfile out(response, name);
  SummarySink sink = [&out](const std::vector<TaskSummary>& tasks) { return write_samples(out, tasks); };
  const WalkFacts facts = co_await stream_summaries(runtime, std::move(options), std::move(sink));
  const std::string rest = out.gzip.compress(out.profile.take(), true);
  co_await write_piece(response, rest, kOctets);
  co_await end_stream(response, facts, kOctets);
}

task::Task<void> send_goroutines(task::Runtime& runtime, http::Request& request, http::Response& response,
                                 int default_level) {
  const int level = debug_level_of(request, default_level);
  const std::chrono::seconds delta = delta_of(request);
  if (delta.count() > 0 && level != 0) {
    throw Error(ErrorClass::kInvalidArgument, "seconds and debug params are incompatible");
  }
  co_await send_dump(runtime, "goroutine", level, dump_options_of(request), delta, response);
}

struct JsonList {
  http::Response& response;
  PastDump now;                              // what is to be kept of this dump
  std::optional<DumpDifference> difference;  // to an earlier one
  bool first = true;
};

task::Task<void> write_json(JsonList& list, const std::vector<TaskSummary>& tasks) {
  std::string text = list.response.headers_sent() ? "" : "{\"tasks\":[";
  for (const TaskSummary& task : tasks) {
    text += std::exchange(list.first, false) ? "\n" : ",\n";
    append_json(text, task, list.difference ? list.difference->change_of(task) : std::string_view());
    if (list.now.tasks.size() <= DumpHistory::kTasksMax) list.now.tasks.push_back({task.id, task.name});
  }
  co_await write_piece(list.response, text, kJson);
}

std::optional<DumpDifference> difference_of(const http::Request& request) {
  const std::optional<std::string> text = request.query("since");
  if (!text || text->empty()) return std::nullopt;
  std::uint64_t id = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), id);
  if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size()) {
    throw Error(ErrorClass::kInvalidArgument, "invalid value for \"since\": \"" + *text + "\" - must be a dump's id");
  }
  std::shared_ptr<const PastDump> past = DumpHistory::instance().find(id);
  if (!past) throw Error(ErrorClass::kNotFound, "dump " + *text + " is not known, or not any more");
  return std::optional<DumpDifference>(std::in_place, std::move(past));
}

// What comes behind the list. An object cannot be added to from outside: its last members are written where it ends.
std::string json_tail(const JsonList& list, const WalkFacts& facts, std::uint64_t id) {
  std::string out = "\n],";
  if (list.difference) {
    out += "\"gone\":";
    append_json_array(out, list.difference->gone(), [&out](const PastDump::Entry& entry) {
      JsonObject object(out);
      object.number("id", entry.task);
      object.text("name", entry.name);
    });
    out += ",\n";
  }
  out += "\"dump\":";
  {
    JsonObject about(out);
    about.number("id", id);
    if (list.difference) about.number("since", list.difference->past_id());
    about.number("shown", std::uint64_t{facts.tasks});
    about.flag("complete", facts.complete());
    about.signed_number("duration_us", facts.duration.count() / 1000);
    about.signed_number("longest_slice_us", facts.longest_slice.count() / 1000);
    append_json_array(about.member("silent_workers"), facts.silent, [&out](const SilentWorker& worker) {
      JsonObject object(out);
      object.text("name", worker.name);
      object.number("running", worker.running_id);
      object.flag("listed", worker.listed);
    });
  }
  return out + "}\n";
}

}  // namespace

task::Task<void> send_dump(task::Runtime& runtime, std::string_view name, int level, DumpOptions options,
                           std::chrono::seconds delta, http::Response& response) {
  switch (level) {
    case 0:
      co_return co_await send_profile(runtime, name, std::move(options), delta, response);
    case 1:
      co_return co_await send_legacy_text(runtime, name, std::move(options), response);
    case 2:
      co_return co_await send_text(runtime, std::move(options), response);
    default:
      co_return co_await send_task_profile(runtime, name, std::move(options), response);
  }
}

task::Task<void> goroutine_text(task::Runtime& runtime, http::Request& request, http::Response& response) {
  co_await send_goroutines(runtime, request, response, 2);
}

task::Task<void> goroutine_profile(task::Runtime& runtime, http::Request& request, http::Response& response) {
  co_await send_goroutines(runtime, request, response, 0);
}

task::Task<void> tasks_json(task::Runtime& runtime, http::Request& request, http::Response& response) {
  JsonList list{response, {}, difference_of(request)};
  list.now.began_ns = task::coarse_now_ns();
  SummarySink sink = [&list](const std::vector<TaskSummary>& tasks) { return write_json(list, tasks); };
  const WalkFacts facts = co_await stream_summaries(runtime, dump_options_of(request), std::move(sink));
  if (list.first) co_await write_json(list, {});
  const std::uint64_t id = DumpHistory::instance().keep(std::move(list.now));
  const std::string tail = json_tail(list, facts, id);
  co_await write_piece(response, tail, kJson);
  co_await end_stream(response, facts, kJson);
}

}  // namespace quoll::debug
