#include "api/stream_session.hpp"

#include <array>
#include <memory>

#include "api/version.hpp"
#include "mgr/attach/detach_keys.hpp"
#include "task/scope.hpp"
#include "task/this_task.hpp"

namespace quoll::api {
namespace {

constexpr std::size_t kInputBytes = 32 * 1024;
constexpr std::size_t kOutputBytes = 128 * 1024;

struct Session {
  ClientStream& client;
  mgr::AttachStream& process;
  const SessionOptions options;
  SessionEnd end = SessionEnd::kOutput;
  bool left = false;  // by its client's doing, whatever the process does
};

// Ends at the client's end of sending, at the detach keys, or where the process takes no more; true: at the keys.
task::Task<bool> copy_input(Session& session) {
  // Pages that nobody writes to take no memory, so a client that sends nothing costs little.
  const auto buffer = std::make_unique_for_overwrite<char[]>(kInputBytes);
  const bool has_keys = !session.options.detach_keys.empty();
  mgr::DetachKeys keys(session.options.detach_keys);
  std::string through;
  bool taken = true;
  while (const std::size_t count = co_await session.client.read_some({buffer.get(), kInputBytes})) {
    if (!session.options.input || !taken) continue;
    std::string_view bytes(buffer.get(), count);
    const bool detached = has_keys && keys.feed(bytes, through);
    if (has_keys) bytes = through;
    taken = co_await session.process.write_all(bytes);
    if (detached) co_return true;
  }
  co_return false;
}

task::Task<void> serve_input(Session& session) {
  const bool detached = co_await copy_input(session);
  if (detached) session.end = SessionEnd::kDetached;
  if (detached || (session.options.input && !session.options.input_closes)) {
    session.left = true;
    session.process.end();
  } else if (session.options.input) {
    session.process.end_input();
  }
}

task::Task<void> copy_output(Session& session, task::Scope& scope) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(kOutputBytes);
  while (const std::size_t count = co_await session.process.read_some({buffer.get(), kOutputBytes})) {
    co_await session.client.write({buffer.get(), count});
  }
  scope.cancel(task::CancelReason::kParent);
}

task::Task<void> copy_log(Session& session, task::Scope& scope, mgr::LogFollower& log) {
  while (const auto chunk = co_await log.next()) co_await session.client.write(chunk->bytes.view());
  scope.cancel(task::CancelReason::kParent);
}

// The end of the process leaves its log to be read to the end; that of the session does not.
task::Task<void> end_with_client(Session& session, task::Scope& scope) {
  char sink[64];
  while (co_await session.process.read_some(sink) > 0) continue;
  if (session.left) scope.cancel(task::CancelReason::kParent);
}

}  // namespace

std::string_view stream_media_type(const http::Request& request, bool tty) {
  const bool raw = tty || is_before(request, 42) || request.header("Upgrade").empty();
  return raw ? "application/vnd.docker.raw-stream" : "application/vnd.docker.multiplexed-stream";
}

task::Task<SessionEnd> run_session(ClientStream& client, mgr::AttachStream& process, SessionOptions options,
                                   mgr::LogFollower* log) {
  Session session{client, process, std::move(options)};
  task::Scope scope("api.stream_session");
  scope.spawn("api.stream_session: input", serve_input(session));
  if (log == nullptr) {
    scope.spawn("api.stream_session: output", copy_output(session, scope));
  } else {
    scope.spawn("api.stream_session: log", copy_log(session, scope, *log));
    scope.spawn("api.stream_session: end", end_with_client(session, scope));
  }
  co_await scope.join();
  task::this_task::cancel_token().throw_if_cancelled();
  co_return session.end;
}

}  // namespace quoll::api
