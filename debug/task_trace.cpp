#include "debug/task_trace.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "debug/place.hpp"
#include "task/blocking.hpp"
#include "task/clock.hpp"
#include "task/error.hpp"
#include "task/timer.hpp"

namespace quoll::debug {
namespace {

constexpr std::size_t kSlicesPerPiece = 2048;

constinit std::atomic<bool> in_use{false};

// A log at each worker, for as long as this lives.
class TraceSession {
 public:
  explicit TraceSession(task::Runtime& runtime) {
    if (in_use.exchange(true)) throw Error(ErrorClass::kInternal, "tracing is already enabled");
    for (const auto& worker : runtime.workers()) {
      logs_.push_back(std::make_shared<task::TraceLog>());
      worker->post([target = worker.get(), log = logs_.back()] { target->trace_into(log); });
    }
  }
  ~TraceSession() {
    close();
    in_use.store(false);
  }
  TraceSession(const TraceSession&) = delete;
  TraceSession& operator=(const TraceSession&) = delete;

  void close() {
    for (const auto& log : logs_) log->close();
  }
  task::TraceLog& log(std::size_t worker) { return *logs_[worker]; }
  std::size_t dropped() const {
    std::size_t count = 0;
    for (const auto& log : logs_) count += log->dropped();
    return count;
  }

 private:
  std::vector<std::shared_ptr<task::TraceLog>> logs_;
};

void append_json(std::string& out, std::string_view text) {
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Microseconds, as the format has them, with the nanoseconds behind the point.
void append_time(std::string& out, std::int64_t nanoseconds) {
  char text[40];
  const auto ns = static_cast<unsigned long long>(std::max<std::int64_t>(nanoseconds, 0));
  out.append(text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%llu.%03llu", ns / 1000, ns % 1000)));
}

void append_place(std::string& out, const std::source_location& at) {
  if (at.line() == 0) return append_json(out, "");
  const Place& place = place_of(at);
  append_json(out, place.function + " " + place.file + ":" + std::to_string(place.line));
}

bool waits(task::TaskState state) {
  return state != task::TaskState::kIdle && state != task::TaskState::kRunnable && state != task::TaskState::kRunning;
}

}  // namespace

void TraceEncoder::begin_worker(std::size_t number, std::string_view name) {
  worker_ = number + 1;
  begin_event("M", "thread_name", start_ns_);
  out_ += ",\"args\":{\"name\":";
  append_json(out_, name);
  out_ += "}}";
}

// Up to the common fields' end; the caller adds its own and closes the object.
void TraceEncoder::begin_event(std::string_view kind, std::string_view name, std::int64_t at_ns) {
  out_ += std::exchange(first_, false) ? "\n{\"ph\":\"" : ",\n{\"ph\":\"";
  out_.append(kind).append("\",\"name\":");
  append_json(out_, name);
  out_ += ",\"pid\":" + std::to_string(::getpid()) + ",\"tid\":" + std::to_string(worker_) + ",\"ts\":";
  append_time(out_, at_ns - start_ns_);
}

void TraceEncoder::add_wait(std::uint64_t task_id, const OpenWait& wait, std::int64_t until_ns) {
  const std::string tail = ",\"cat\":\"wait\",\"id\":\"" + std::to_string(task_id) + "\"";
  const std::int64_t since_ns = std::clamp(wait.since_ns, start_ns_, until_ns);
  begin_event("b", task::to_string(wait.state), since_ns);
  out_ += tail + ",\"args\":{\"task\":";
  append_json(out_, wait.task);
  out_ += ",\"at\":";
  append_place(out_, wait.at);
  out_ += "}}";
  begin_event("e", task::to_string(wait.state), until_ns);
  out_ += tail + "}";
}

void TraceEncoder::add(const task::RunSlice& slice) {
  if (const auto open = waits_.find(slice.task_id); open != waits_.end()) {
    add_wait(slice.task_id, open->second, slice.start_ns);
    waits_.erase(open);
  } else if (waits(slice.before)) {
    add_wait(slice.task_id, {slice.before, slice.before_at, slice.since_ns, slice.name}, slice.start_ns);
  } else {
    begin_event("i", "start", slice.start_ns);
    out_ += ",\"cat\":\"task\",\"s\":\"t\",\"args\":{\"task\":" + std::to_string(slice.task_id) +
            ",\"created_by\":" + std::to_string(slice.creator_id) + "}}";
  }
  begin_event("X", slice.name, slice.start_ns);
  out_ += ",\"cat\":\"task\",\"dur\":";
  append_time(out_, slice.end_ns - slice.start_ns);
  out_ += ",\"args\":{\"task\":" + std::to_string(slice.task_id) + ",\"route\":";
  append_json(out_, slice.route);
  out_ += ",\"then\":";
  append_json(out_, slice.ended ? "ended" : task::to_string(slice.after));
  out_ += "}}";
  if (slice.ended) {
    begin_event("i", "end", slice.end_ns);
    out_ += ",\"cat\":\"task\",\"s\":\"t\",\"args\":{\"task\":" + std::to_string(slice.task_id) + "}}";
  } else if (waits(slice.after)) {
    waits_[slice.task_id] = {slice.after, slice.after_at, slice.end_ns, slice.name};
  }
}

void TraceEncoder::end_worker() {
  for (const auto& [task_id, wait] : waits_) add_wait(task_id, wait, std::max(end_ns_, wait.since_ns));
  waits_.clear();
}

task::Task<void> stream_trace(task::Runtime& runtime, std::chrono::nanoseconds duration, TraceSink sink) {
  const std::int64_t start_ns = task::precise_now_ns();  // before the workers watch: no slice begins earlier
  TraceSession session(runtime);
  co_await task::sleep_for(duration);
  session.close();
  const std::int64_t end_ns = task::precise_now_ns();
  TraceEncoder encoder(start_ns, end_ns);
  co_await sink("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
  for (std::size_t worker = 0; worker < runtime.workers().size(); ++worker) {
    const std::vector<task::RunSlice> slices = session.log(worker).take();
    encoder.begin_worker(worker, runtime.workers()[worker]->name());
    for (std::size_t next = 0; next < slices.size();) {
      const std::string piece = co_await task::blocking([&] {
        for (const std::size_t end = std::min(next + kSlicesPerPiece, slices.size()); next < end; ++next) {
          encoder.add(slices[next]);
        }
        return encoder.take();
      });
      co_await sink(piece);
    }
    encoder.end_worker();
    const std::string rest = encoder.take();
    co_await sink(rest);
  }
  const nlohmann::json about = {
      {"program", "quoll " QUOLL_VERSION}, {"window_ns", end_ns - start_ns}, {"dropped_slices", session.dropped()}};
  const std::string tail = "\n],\"otherData\":" + about.dump() + "}\n";
  co_await sink(tail);
}

}  // namespace quoll::debug
