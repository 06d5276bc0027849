#include "debug/pprof_pages.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "debug/answers.hpp"
#include "debug/place.hpp"
#include "debug/profiles.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::debug {
namespace {

constexpr std::size_t kSymbolBodyMax = 1024 * 1024;
std::string index_row(std::size_t count, std::string_view name) {
  std::string row = "<tr><td>" + std::to_string(count) + "</td><td><a href='";
  row.append(name).append("?debug=1'>").append(name).append("</a></td></tr>\n");
  return row;
}

std::string about_line(std::string_view name, std::string_view text) {
  std::string line = "<li><b>";
  return line.append(name).append("</b>: ").append(text).append("</li>\n");
}

std::string index_page(task::Runtime& runtime) {
  std::string rows = index_row(runtime.task_count(), "goroutine");
  std::string abouts = about_line("goroutine", "The stacks of all live tasks");
  for (const CumulativeProfile& profile : cumulative_profiles()) {
    if (!profile.available()) continue;
    rows += index_row(profile.count(runtime), profile.name);
    abouts += about_line(profile.name, profile.about);
  }
  abouts += about_line("profile", "CPU profile, of 30 s or ?seconds=N, for <code>go tool pprof</code>");
  abouts += about_line("trace", "What tasks do in 1 s or ?seconds=N, as JSON that Perfetto opens");
  return "<html>\n<head>\n<title>/debug/pprof/</title>\n</head>\n<body>\n/debug/pprof/\n"
         "<p>Profiles of this process. debug=1 gives text, debug=0 what <code>go tool pprof</code> reads; ?seconds=N "
         "what "
         "comes in that time.</p>\n"
         "<table>\n<thead><tr><td>Count</td><td>Profile</td></tr></thead>\n" +
         rows +
         "<tr><td></td><td><a href='profile'>profile</a></td></tr>\n"
         "<tr><td></td><td><a href='trace'>trace</a></td></tr>\n"
         "<tr><td></td><td><a href='cmdline'>cmdline</a></td></tr>\n"
         "</table>\n"
         "<p><a href=\"goroutine?debug=2\">full goroutine stack dump</a></p>\n"
         "<p><a href=\"../tasks\">tasks as JSON</a>, <a href=\"../vars\">vars</a>, <a href=\"../../metrics\">metrics"
         "</a></p>\n<ul>\n" +
         abouts + "</ul>\n</body>\n</html>\n";
}

// As Go reads it: "0x" for base 16, else 10; 0 for what is no number.
std::uint64_t parse_address(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint64_t address = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), address, base);
  return error == std::errc() && end == text.data() + text.size() ? address : 0;
}

}  // namespace

std::string command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (text.ends_with('\0')) text.pop_back();
  return text;
}

std::string symbolize(std::string_view addresses) {
  std::string answer = "num_symbols: 1\n";
  while (!addresses.empty()) {
    const std::size_t end = std::min(addresses.find('+'), addresses.size());
    const std::uint64_t address = parse_address(addresses.substr(0, end));
    addresses.remove_prefix(std::min(end + 1, addresses.size()));
    const std::optional<std::string> name = resolve_pc(address);
    if (!name) continue;
    char digits[16];
    const auto written = std::to_chars(digits, digits + sizeof digits, address, 16);
    answer.append("0x").append(digits, written.ptr).append(" ").append(*name).append("\n");
  }
  return answer;
}

task::Task<void> pprof_redirect(task::Runtime&, http::Request&, http::Response& response) {
  response.set_status(301);
  response.set_header("Location", "/debug/pprof/");
  co_await response.send("", kPlainText);
}

task::Task<void> pprof_index(task::Runtime& runtime, http::Request&, http::Response& response) {
  set_nosniff(response);
  const std::string page = co_await task::blocking([&] { return index_page(runtime); });
  co_await response.send(page, "text/html; charset=utf-8");
}

task::Task<void> pprof_cmdline(task::Runtime&, http::Request&, http::Response& response) {
  set_nosniff(response);
  const std::string text = command_line();
  co_await response.send(text, kPlainText);
}

task::Task<void> pprof_symbol(task::Runtime&, http::Request& request, http::Response& response) {
  std::string addresses(request.raw_query());
  if (request.method() == "POST") addresses = co_await request.read_body_all(kSymbolBodyMax);
  const std::string text = symbolize(addresses);
  set_nosniff(response);
  co_await response.send(text, kPlainText);
}

}  // namespace quoll::debug
