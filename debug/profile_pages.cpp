#include "debug/profile_pages.hpp"

#include <charconv>
#include <chrono>
#include <string>

#include "debug/answers.hpp"
#include "debug/profiles.hpp"
#include "debug/task_trace.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::debug {
namespace {

using std::chrono::nanoseconds;

constexpr double kSecondsMax = 24 * 3600;

void set_attachment(http::Response& response, std::string_view name) {
  set_nosniff(response);
  response.set_header("Content-Disposition", "attachment; filename=\"" + std::string(name) + "\"");
}

// As Go reads `seconds` of profile and trace: what is no positive number is the default.
nanoseconds seconds_of(const http::Request& request, double by_default) {
  const std::string text = request.query("seconds").value_or("");
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value > 0)) value = by_default;
  return std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(std::min(value, kSecondsMax)));
}

task::Task<void> send_text(task::Runtime& runtime, const CumulativeProfile& profile, http::Response& response) {
  const std::string text = co_await task::blocking([&] { return profile.text(runtime); });
  set_nosniff(response);
  co_await response.send(text, kPlainText);
}

struct TracePieces {
  http::Response& response;
};

task::Task<void> write_trace(TracePieces& out, std::string_view piece) {
  if (!out.response.headers_sent()) {
    set_attachment(out.response, "trace.json");
    co_await out.response.start_stream(kJson);
  }
  co_await out.response.write(piece);
}

}  // namespace

task::Task<void> cpu_profile_page(task::Runtime&, http::Request& request, http::Response& response) {
  std::string failure;
  std::string profile;
  try {
    profile = co_await take_cpu_profile(seconds_of(request, 30));
  } catch (const Error& error) {
    failure = error.message();
  }
  if (!failure.empty()) throw Error(ErrorClass::kInternal, "Could not enable CPU profiling: " + failure);
  set_attachment(response, "profile");
  co_await response.send(profile, kOctets);
}

task::Task<void> trace_page(task::Runtime& runtime, http::Request& request, http::Response& response) {
  TracePieces out{response};
  std::string failure;
  TraceSink sink = [&out](std::string_view piece) { return write_trace(out, piece); };
  try {
    co_await stream_trace(runtime, seconds_of(request, 1), std::move(sink));
  } catch (const Error& error) {
    if (response.headers_sent()) throw;
    failure = error.message();
  }
  if (!failure.empty()) throw Error(ErrorClass::kInternal, "Could not enable tracing: " + failure);
  co_await response.finish();
}

task::Task<void> profile_page(task::Runtime& runtime, http::Request& request, http::Response& response) {
  const CumulativeProfile* const profile = find_cumulative_profile(request.param("profile"));
  if (profile == nullptr) throw Error(ErrorClass::kNotFound, "Unknown profile");
  if (!profile->available()) {
    throw Error(ErrorClass::kNotImplemented,
                "profile " + std::string(profile->name) + ": this program's allocations are not sampled");
  }
  const int level = debug_level_of(request, 0);
  const std::chrono::seconds delta = delta_of(request);
  if (delta.count() > 0 && level != 0) {
    throw Error(ErrorClass::kInvalidArgument, "seconds and debug params are incompatible");
  }
  if (level != 0) co_return co_await send_text(runtime, *profile, response);
  const std::string bytes = co_await take_profile(runtime, *profile, delta);
  set_attachment(response, std::string(profile->name) + (delta.count() > 0 ? "-delta" : ""));
  co_await response.send(bytes, kOctets);
}

}  // namespace quoll::debug
