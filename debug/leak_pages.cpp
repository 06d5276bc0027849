#include "debug/leak_pages.hpp"

#include <memory>
#include <string>

#include "debug/answers.hpp"
#include "debug/goroutine.hpp"
#include "debug/leaks.hpp"
#include "task/error.hpp"

namespace quoll::debug {
namespace {

void read_duration(const http::Request& request, std::string_view name, std::chrono::nanoseconds& into) {
  const std::optional<std::string> text = request.query(name);
  if (!text || text->empty()) return;
  const auto duration = parse_duration(*text);
  if (!duration) {
    throw Error(ErrorClass::kInvalidArgument, "invalid value for \"" + std::string(name) + "\": \"" + *text +
                                                  "\" - must be a duration like 500ms, 30s or 2m");
  }
  into = *duration;
}

LeakOptions leak_options_of(const http::Request& request) {
  LeakOptions options;
  read_duration(request, "grace", options.grace);
  read_duration(request, "blocked", options.blocked);
  return options;
}

bool wants_json(const http::Request& request) {
  const std::string format = request.query("format").value_or("text");
  if (format == "json") return true;
  if (format == "text" || format.empty()) return false;
  throw Error(ErrorClass::kInvalidArgument, "invalid value for \"format\" - must be text or json");
}

}  // namespace

task::Task<void> leaks_page(task::Runtime& runtime, http::Request& request, http::Response& response) {
  const LeakOptions options = leak_options_of(request);
  const bool json = wants_json(request);
  const LeakReport report = co_await find_leaks(runtime, options);
  const std::string body = json ? leaks_json(report, options) : leaks_text(report);
  set_nosniff(response);
  set_facts_as_headers(response, report.facts);
  response.set_header("X-Quoll-Leaks", std::to_string(report.leaks.size()));
  co_await response.send(body, json ? kJson : kPlainText);
}

task::Task<void> goroutineleak_profile(task::Runtime& runtime, http::Request& request, http::Response& response) {
  if (delta_of(request).count() > 0) {
    throw Error(ErrorClass::kInvalidArgument, "seconds is not supported for goroutineleak");
  }
  const int level = debug_level_of(request, 0);
  DumpOptions options = dump_options_of(request);
  const LeakReport report = co_await find_leaks(runtime, leak_options_of(request));
  auto leaking = std::make_shared<std::unordered_set<std::uint64_t>>();
  for (const Leak& leak : report.leaks) leaking->insert(leak.task.id);
  options.only = std::move(leaking);
  options.mark = "leaked";
  co_await send_dump(runtime, "goroutineleak", level, std::move(options), std::chrono::seconds(0), response);
}

}  // namespace quoll::debug
