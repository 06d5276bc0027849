#include "debug/page.hpp"

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "debug/answers.hpp"
#include "debug/dump.hpp"
#include "debug/page_assets.hpp"
#include "debug/page_columns.hpp"

namespace quoll::debug {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";
// The page runs its own script and talks to its own origin, and nothing else can.
constexpr std::string_view kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'";

void set_page_headers(http::Response& response) {
  set_nosniff(response);
  response.set_header("Content-Security-Policy", kContentPolicy);
  response.set_header("Referrer-Policy", "no-referrer");
  response.set_header("Cache-Control", "no-store");
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// "12.3 s", "5 m 20 s": as the script writes it.
std::string duration_text(std::chrono::nanoseconds duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  char text[64];
  if (ms < 1000) {
    std::snprintf(text, sizeof text, "%lld ms", static_cast<long long>(ms));
  } else if (ms < 60'000) {
    std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(ms) / 1000);
  } else if (ms < 3600'000) {
    std::snprintf(text, sizeof text, "%lld m %lld s", static_cast<long long>(ms / 60'000),
                  static_cast<long long>(ms / 1000 % 60));
  } else {
    std::snprintf(text, sizeof text, "%lld h %lld m", static_cast<long long>(ms / 3600'000),
                  static_cast<long long>(ms / 60'000 % 60));
  }
  return text;
}

// The innermost function that is not the runtime's own, which only says how it waits.
std::string_view telling_function(const TaskSummary& task) {
  for (const Place* const place : task.frames) {
    if (!place->function.starts_with("quoll::task::")) return place->function;
  }
  return task.frames.empty() ? std::string_view("stack unavailable") : std::string_view(task.frames.front()->function);
}

std::string row_of(const TaskSummary& task) {
  std::string row = "<tr>";
  const auto cell = [&row](std::string_view text) { row.append("<td>").append(escaped(text)); };
  cell(std::to_string(task.id));
  cell(task::to_string(task.state));
  cell(duration_text(task.waited));
  cell(duration_text(task.age));
  cell(task.name);
  cell(task.request_id == 0 ? "" : task.method + " " + (task.route.empty() ? task.path : task.route));
  cell(task.client);
  cell(task.container);
  row.append("<td><details><summary>").append(escaped(telling_function(task))).append("</summary><pre>");
  for (const Place* const place : task.frames) row += escaped(place->frame_text[static_cast<int>(FileNames::kReal)]);
  return row + "</pre></details></tr>\n";
}

void replace(std::string& text, std::string_view mark, std::string_view value) {
  text.replace(text.find(mark), mark.size(), value);
}

struct PlainRows {
  std::string html;
  std::size_t count = 0;
};

task::Task<void> add_rows(PlainRows* rows, const std::vector<TaskSummary>& tasks) {
  for (const TaskSummary& task : tasks) {
    if (rows->count == kPageRowsMax) break;
    rows->html += row_of(task);
    ++rows->count;
  }
  co_return;
}

task::Task<void> add_columns(PageColumns* columns, const std::vector<TaskSummary>& tasks) {
  for (const TaskSummary& task : tasks) columns->add(task);
  co_return;
}

std::string summary_of(const WalkFacts& facts, std::size_t shown) {
  std::string text = std::to_string(facts.tasks) + " tasks.";
  if (shown < facts.tasks) {
    text += " The first " + std::to_string(shown) +
            " are listed: filter, or take all of them <a href=\"goroutine\">as text</a>.";
  }
  if (!facts.complete()) text += " Not all workers have answered.";
  return text;
}

}  // namespace

task::Task<void> page_redirect(task::Runtime&, http::Request&, http::Response& response) {
  response.set_status(301);
  response.set_header("Location", "/debug/");
  co_await response.send("", kPlainText);
}

task::Task<void> page_html(task::Runtime& runtime, http::Request& request, http::Response& response) {
  PlainRows rows;
  SummarySink sink = [&rows](const std::vector<TaskSummary>& tasks) { return add_rows(&rows, tasks); };
  const WalkFacts facts = co_await stream_summaries(runtime, dump_options_of(request), std::move(sink));
  std::string page(kPageHtml);
  replace(page, "{{rows}}", rows.html);
  replace(page, "{{summary}}", summary_of(facts, rows.count));
  for (const char* const name : {"min_wait", "state", "match"}) {
    replace(page, "{{" + std::string(name) + "}}", escaped(request.query(name).value_or("")));
  }
  set_page_headers(response);
  co_await response.send(page, kHtml);
}

task::Task<void> page_style(task::Runtime&, http::Request&, http::Response& response) {
  set_page_headers(response);
  co_await response.send(kPageStyle, "text/css; charset=utf-8");
}

task::Task<void> page_script(task::Runtime&, http::Request&, http::Response& response) {
  set_page_headers(response);
  co_await response.send(kPageScript, "text/javascript; charset=utf-8");
}

task::Task<void> page_data(task::Runtime& runtime, http::Request& request, http::Response& response) {
  PageColumns columns(kPageTasksMax);
  SummarySink sink = [&columns](const std::vector<TaskSummary>& tasks) { return add_columns(&columns, tasks); };
  const WalkFacts facts = co_await stream_summaries(runtime, dump_options_of(request), std::move(sink));
  set_page_headers(response);
  const std::string text = columns.json(facts);
  co_await response.send(text, kJson);
}

}  // namespace quoll::debug
