// A client at a process's standard streams, from the hijack to the end of either: attach and exec.
#pragma once

#include <functional>
#include <string>

#include "api/client_stream.hpp"
#include "http/request.hpp"
#include "mgr/attach/attach_stream.hpp"
#include "mgr/log/log_follower.hpp"
#include "task/task.hpp"

namespace quoll::api {

struct SessionOptions {
  bool input = false;         // what the client sends goes to the process
  bool input_closes = false;  // its end is the end of the process's standard input, rather than of the session
  std::string detach_keys;    // of which the process sees nothing; empty: none
};

enum class SessionEnd { kOutput, kDetached };

// The media type of what follows, which clients tell the framing by from API 1.42 on.
std::string_view stream_media_type(const http::Request& request, bool tty);

// Copies both ways until the process's output ends, or the client detaches or, where that does not close the process's
// input, stops sending. With `log` the output comes from there: what was written earlier, and what is from now on.
//
// Cancel: the client's leaving ends it.
task::Task<SessionEnd> run_session(ClientStream& client, mgr::AttachStream& process, SessionOptions options,
                                   mgr::LogFollower* log = nullptr);

}  // namespace quoll::api
