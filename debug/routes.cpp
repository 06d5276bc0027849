#include "debug/routes.hpp"

#include <memory>
#include <string>
#include <string_view>

#include "debug/answers.hpp"
#include "debug/dump_pace.hpp"
#include "debug/goroutine.hpp"
#include "debug/leak_pages.hpp"
#include "debug/metrics_pages.hpp"
#include "debug/page.hpp"
#include "debug/pprof_pages.hpp"
#include "debug/profile_pages.hpp"
#include "task/clock.hpp"
#include "task/error.hpp"
#include "task/timer.hpp"

namespace quoll::debug {
namespace {

// A handler of this folder: a named coroutine, so that it has its name in the dump that it writes.
using DebugHandler = task::Task<void> (*)(task::Runtime&, http::Request&, http::Response&);

using NumbersHandler = task::Task<void> (*)(task::Runtime&, const DebugSources&, http::Response&);

http::Handler page_of(task::Runtime& runtime, DebugHandler handler) {
  return [&runtime, handler](http::Request& request, http::Response& response) {
    return answer(response, handler(runtime, request, response));
  };
}

// For pages that walk over all tasks: at their pace.
task::Task<void> paced(std::shared_ptr<DumpPace> pace, task::Task<void> page) {
  if (const auto wait = pace->wait(task::precise_now_ns()); wait.count() > 0) co_await task::sleep_for(wait);
  struct Spend {
    DumpPace& pace;
    const std::int64_t began_ns = task::precise_now_ns();
    ~Spend() {
      const std::int64_t now_ns = task::precise_now_ns();
      pace.spend(std::chrono::nanoseconds(now_ns - began_ns), now_ns);
    }
  } const spend{*pace};
  co_await std::move(page);
}

}  // namespace

void add_debug_routes(http::Router& router, task::Runtime& runtime, DebugSources sources) {
  const auto add_call = [&router](std::string_view pattern, const http::Handler& call) {
    for (const char* const method : {"GET", "HEAD"}) router.add(method, std::string(pattern), call);
  };
  const auto add = [&](std::string_view pattern, DebugHandler handler) {
    add_call(pattern, page_of(runtime, handler));
  };
  const auto pace = std::make_shared<DumpPace>();
  const auto add_walking = [&](std::string_view pattern, DebugHandler handler) {
    add_call(pattern, [&runtime, pace, handler](http::Request& request, http::Response& response) {
      return answer(response, paced(pace, handler(runtime, request, response)));
    });
  };
  const auto shared = std::make_shared<const DebugSources>(std::move(sources));
  const auto add_numbers = [&](std::string_view pattern, NumbersHandler handler) {
    add_call(pattern, [&runtime, shared, pace, handler](http::Request&, http::Response& response) {
      return answer(response, paced(pace, handler(runtime, *shared, response)));
    });
  };
  add("/debug", page_redirect);
  add_walking("/debug/", page_html);
  add("/debug/page.css", page_style);
  add("/debug/page.js", page_script);
  add_walking("/debug/page.json", page_data);
  add_walking("/debug/goroutine", goroutine_text);
  add_walking("/debug/tasks", tasks_json);
  add_walking("/debug/leaks", leaks_page);
  add("/debug/pprof", pprof_redirect);
  add("/debug/pprof/", pprof_index);
  add_walking("/debug/pprof/goroutine", goroutine_profile);
  add_walking("/debug/pprof/goroutineleak", goroutineleak_profile);
  add("/debug/pprof/cmdline", pprof_cmdline);
  add("/debug/pprof/symbol", pprof_symbol);
  router.add("POST", "/debug/pprof/symbol", page_of(runtime, pprof_symbol));
  add("/debug/pprof/profile", cpu_profile_page);
  add("/debug/pprof/trace", trace_page);
  add("/debug/pprof/{profile}", profile_page);
  add_numbers("/debug/vars", vars_page);
  add_numbers("/metrics", metrics_page);
}

}  // namespace quoll::debug
