// Clients that follow a container's log. Each mode prints one JSON object.
//
//     follow_load hold    --followers N --rounds R [--reset 1]  silent followers: their cost, a dump, closing all at
//     once follow_load hangup  --count K                             one silent follower hangs up, K times follow_load
//     latency --count K                             from the writing of a line to its arrival follow_load burst
//     --followers N --count LINES           a burst that N follow; every line is checked follow_load read    --count
//     LINES                         the whole log without following, checked
//
// All take --target SOCKET|ADDRESS:PORT and --path; hold and hangup take what DaemonView reads; latency and burst
// take --go FILE, which they make when the followers are there.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "bench/client.hpp"
#include "bench/daemon_view.hpp"
#include "bench/follower.hpp"

namespace {

using bench::Arguments;
using bench::DaemonView;
using bench::Followers;

constexpr std::int64_t kGoneTimeout_ms = 3000;
constexpr std::int64_t kSilence_ms = 10'000;

double ms_since(std::int64_t start_ns) { return static_cast<double>(bench::now_ns() - start_ns) / 1e6; }

void make_file(const std::string& path) { ::close(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)); }

void open_followers(Followers& followers, const Arguments& arguments, std::size_t count) {
  followers.open(arguments.text("target"), arguments.text("path"), count);
  followers.wait_for_headers(arguments.number("header-ms", 5000));
}

struct Dump {
  double ms = 0;
  std::size_t bytes = 0;
};

Dump dump(DaemonView& daemon) {
  if (!daemon.has_tasks()) return {};
  std::vector<double> times;
  std::size_t bytes = 0;
  for (int i = 0; i < 11; ++i) {
    const std::int64_t start = bench::now_ns();
    bytes = daemon.dump().size();
    times.push_back(ms_since(start));
  }
  return {bench::percentiles(times).p50, bytes};
}

void hold(const Arguments& arguments) {
  DaemonView daemon(arguments);
  const auto count = static_cast<std::size_t>(arguments.number("followers", 1000));
  Followers followers;
  open_followers(followers, arguments, 5);  // what the first of all costs is not what each one costs
  followers.close_all(false);
  const DaemonView::Count before = daemon.settled();
  const std::int64_t before_kb = daemon.resident_kb();
  double kb = 0;
  DaemonView::Count held;
  Dump dumped;
  std::vector<double> gone;
  std::size_t late = 0;
  for (long round = 0; round < arguments.number("rounds", 1); ++round) {
    open_followers(followers, arguments, count);
    held = daemon.settled();
    if (round == 0) {
      kb = static_cast<double>(daemon.resident_kb() - before_kb) / static_cast<double>(count);
      dumped = dump(daemon);
    }
    const std::int64_t start = bench::now_ns();
    followers.close_all(arguments.number("reset", 0) != 0);
    const double ms = daemon.wait_until_gone(before, start, kGoneTimeout_ms);
    ms < 0 ? void(++late) : gone.push_back(ms);
    daemon.settled();
  }
  const bench::Percentiles spread = bench::percentiles(gone);
  std::printf(
      "{\"kb_each\": %.2f, \"fds_each\": %.3f, \"tasks_each\": %.3f, \"gone_ms\": %.2f, \"gone_max_ms\": %.2f, "
      "\"not_gone\": %zu, \"of\": %ld, \"dump_ms\": %.2f, \"dump_bytes\": %zu}\n",
      kb, static_cast<double>(held.descriptors - before.descriptors) / static_cast<double>(count),
      static_cast<double>(held.tasks - before.tasks) / static_cast<double>(count), spread.p50, spread.max, late,
      arguments.number("rounds", 1), dumped.ms, dumped.bytes);
}

void hang_up(const Arguments& arguments) {
  DaemonView daemon(arguments);
  Followers followers;
  open_followers(followers, arguments, 1);
  followers.close_all(false);
  DaemonView::Count before = daemon.settled();
  std::vector<double> gone;
  std::size_t late = 0;
  for (long i = 0; i < arguments.number("count", 100); ++i) {
    open_followers(followers, arguments, 1);
    while (daemon.count().descriptors <= before.descriptors) ::usleep(1000);
    ::usleep(2000);
    const std::int64_t start = bench::now_ns();
    followers.close_all(arguments.number("reset", 0) != 0);
    const double ms = daemon.wait_until_gone(before, start, kGoneTimeout_ms);
    if (ms < 0) {
      ++late;
      before = daemon.settled();  // what it leaves behind is not held against the next one
    } else {
      gone.push_back(ms);
    }
  }
  const bench::Percentiles spread = bench::percentiles(gone);
  std::printf("{\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"not_gone\": %zu, \"of\": %ld}\n", spread.p50, spread.p99, late,
              arguments.number("count", 100));
}

void latency(const Arguments& arguments) {
  Followers followers;
  open_followers(followers, arguments, 1);
  std::vector<double> latencies_ms;
  followers.all().front().lines.on_line = [&](std::int64_t written_ns) {
    latencies_ms.push_back(static_cast<double>(bench::now_ns() - written_ns) / 1e6);
  };
  make_file(arguments.text("go"));
  const auto count = static_cast<std::size_t>(arguments.number("count", 500));
  std::int64_t last = bench::now_ns();
  while (latencies_ms.size() < count && followers.ended() == 0 && ms_since(last) < kSilence_ms) {
    if (followers.poll(100) > 0) last = bench::now_ns();
  }
  const std::size_t lines = latencies_ms.size();
  const bench::Percentiles spread = bench::percentiles(latencies_ms);
  std::printf("{\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"lines\": %zu}\n", spread.p50, spread.p99, lines);
}

// Until all have `lines` lines or have ended, or nothing came for a long time. Returns when the last bytes came.
std::int64_t take_all(Followers& followers, std::uint64_t lines) {
  std::int64_t last = bench::now_ns();
  while (ms_since(last) < kSilence_ms && followers.ended() < followers.all().size()) {
    if (followers.poll(100) == 0) continue;
    last = bench::now_ns();
    bool complete = true;
    for (const bench::Follower& follower : followers.all()) complete = complete && follower.lines.lines() >= lines;
    if (complete) break;
  }
  return last;
}

void report_lines(Followers& followers, std::uint64_t expected, double seconds) {
  std::uint64_t bytes = 0;
  std::uint64_t missing = 0;
  std::uint64_t doubled = 0;
  std::size_t incomplete = 0;
  for (const bench::Follower& follower : followers.all()) {
    bytes += follower.lines.text_bytes();
    doubled += follower.lines.doubled();
    const std::uint64_t right = follower.lines.lines() - follower.lines.doubled();
    missing += expected - right;
    incomplete += right < expected || follower.lines.lost() > 0 ? 1 : 0;
  }
  std::printf("{\"mb_per_second\": %.1f, \"seconds\": %.3f, \"lost\": %lu, \"doubled\": %lu, \"incomplete\": %zu}\n",
              static_cast<double>(bytes) / 1e6 / seconds, seconds, missing, doubled, incomplete);
}

void burst(const Arguments& arguments) {
  Followers followers;
  open_followers(followers, arguments, static_cast<std::size_t>(arguments.number("followers", 100)));
  const auto lines = static_cast<std::uint64_t>(arguments.number("count", 200'000));
  const std::int64_t start = bench::now_ns();
  make_file(arguments.text("go"));
  const std::int64_t end = take_all(followers, lines);
  report_lines(followers, lines, static_cast<double>(end - start) / 1e9);
}

void read(const Arguments& arguments) {
  Followers followers;
  const std::int64_t start = bench::now_ns();
  followers.open(arguments.text("target"), arguments.text("path"), 1);
  const auto lines = static_cast<std::uint64_t>(arguments.number("count", 1));
  const std::int64_t end = take_all(followers, lines);
  report_lines(followers, lines, static_cast<double>(end - start) / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  bench::raise_descriptor_limit();
  const std::string mode = arguments.words().empty() ? "" : arguments.words().front();
  if (mode == "hold") {
    hold(arguments);
  } else if (mode == "hangup") {
    hang_up(arguments);
  } else if (mode == "latency") {
    latency(arguments);
  } else if (mode == "burst") {
    burst(arguments);
  } else if (mode == "read") {
    read(arguments);
  } else {
    bench::fail("follow_load hold|hangup|latency|burst|read --target T --path P ...");
  }
}
