#include "debug/routes.hpp"

#include <memory>
#include <string>
#include <string_view>

#include "debug/answers.hpp"
#include "debug/goroutine.hpp"
#include "debug/leak_pages.hpp"
#include "debug/metrics_pages.hpp"
#include "debug/page.hpp"
#include "debug/pprof_pages.hpp"
#include "debug/profile_pages.hpp"
#include "task/error.hpp"

namespace quoll::debug {
namespace {

// A handler of this folder: a named coroutine, so that it has its name in the dump that it writes.
using DebugHandler = task::Task<void> (*)(task::Runtime&, http::Request&, http::Response&);

using NumbersHandler = task::Task<void> (*)(task::Runtime&, const DebugSources&, http::Response&);

void add_for_method(http::Router& router, task::Runtime& runtime, std::string_view method, std::string_view pattern,
                    DebugHandler handler) {
  auto call = [&runtime, handler](http::Request& request, http::Response& response) {
    return answer(response, handler(runtime, request, response));
  };
  router.add(std::string(method), std::string(pattern), std::move(call));
}

}  // namespace

void add_debug_routes(http::Router& router, task::Runtime& runtime, DebugSources sources) {
  const auto add = [&](std::string_view pattern, DebugHandler handler) {
    add_for_method(router, runtime, "GET", pattern, handler);
    add_for_method(router, runtime, "HEAD", pattern, handler);
  };
  add("/debug", page_redirect);
  add("/debug/", page_html);
  add("/debug/page.css", page_style);
  add("/debug/page.js", page_script);
  add("/debug/page.json", page_data);
  add("/debug/goroutine", goroutine_text);
  add("/debug/tasks", tasks_json);
  add("/debug/leaks", leaks_page);
  add("/debug/pprof", pprof_redirect);
  add("/debug/pprof/", pprof_index);
  add("/debug/pprof/goroutine", goroutine_profile);
  add("/debug/pprof/goroutineleak", goroutineleak_profile);
  add("/debug/pprof/cmdline", pprof_cmdline);
  add("/debug/pprof/symbol", pprof_symbol);
  add_for_method(router, runtime, "POST", "/debug/pprof/symbol", pprof_symbol);
  add("/debug/pprof/profile", cpu_profile_page);
  add("/debug/pprof/trace", trace_page);
  add("/debug/pprof/{profile}", profile_page);
  const auto shared = std::make_shared<const DebugSources>(std::move(sources));
  const auto add_numbers = [&](std::string_view pattern, NumbersHandler handler) {
    for (const char* const method : {"GET", "HEAD"}) {
      auto call = [&runtime, shared, handler](http::Request&, http::Response& response) {
        return answer(response, handler(runtime, *shared, response));
      };
      router.add(method, std::string(pattern), std::move(call));
    }
  };
  add_numbers("/debug/vars", vars_page);
  add_numbers("/metrics", metrics_page);
}

}  // namespace quoll::debug
