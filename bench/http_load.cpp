// Keeps N connections busy with one GET, each sending its next request when the answer has come.
//
//     http_load --target SOCKET|ADDRESS:PORT --path PATH --connections N --seconds S
//
// Prints {"per_second", "p50_us", "p99_us", "requests", "errors", "body_bytes"}; body_bytes is of one answer.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <deque>

#include "bench/client.hpp"

namespace {

struct Connection {
  int fd = -1;
  bench::ResponseReader reader;
  std::int64_t sent_ns = 0;
  std::size_t body_bytes = 0;
};

struct Totals {
  std::vector<double> latencies_us;
  std::size_t errors = 0;
  std::size_t body_bytes = 0;
};

void send_request(Connection& connection, const std::string& request) {
  connection.reader.next();
  connection.body_bytes = 0;
  connection.sent_ns = bench::now_ns();
  // One small request on an idle connection always fits into the socket's buffer.
  if (::send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    bench::fail_errno("send");
  }
}

void receive(Connection& connection, const std::string& request, Totals& totals) {
  static char buffer[256 * 1024];
  const ssize_t count = ::recv(connection.fd, buffer, sizeof(buffer), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) bench::fail("the server closed a connection");
  connection.reader.feed(buffer, static_cast<std::size_t>(count),
                         [&](const char*, std::size_t size) { connection.body_bytes += size; });
  if (!connection.reader.done()) return;
  totals.latencies_us.push_back(static_cast<double>(bench::now_ns() - connection.sent_ns) / 1e3);
  totals.body_bytes = connection.body_bytes;
  if (connection.reader.status() >= 400) ++totals.errors;
  send_request(connection, request);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments(argc, argv);
  bench::raise_descriptor_limit();
  const std::string request = bench::get_request(arguments.text("path"));
  const std::int64_t length_ns =
      static_cast<std::int64_t>(std::strtod(arguments.text("seconds", "3").c_str(), nullptr) * 1e9);

  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::deque<Connection> connections(static_cast<std::size_t>(arguments.number("connections", 1)));
  Totals totals;
  totals.latencies_us.reserve(1 << 20);
  for (Connection& connection : connections) {
    connection.fd = bench::connect_to(arguments.text("target"), true);
    epoll_event event{EPOLLIN, {.ptr = &connection}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, connection.fd, &event);
  }
  const std::int64_t start = bench::now_ns();
  for (Connection& connection : connections) send_request(connection, request);
  epoll_event events[256];
  while (bench::now_ns() - start < length_ns) {
    const int count = ::epoll_wait(poll, events, 256, 100);
    for (int i = 0; i < count; ++i) receive(*static_cast<Connection*>(events[i].data.ptr), request, totals);
  }
  const double seconds = static_cast<double>(bench::now_ns() - start) / 1e9;
  const std::size_t requests = totals.latencies_us.size();
  const bench::Percentiles spread = bench::percentiles(totals.latencies_us);
  std::printf(
      "{\"per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"requests\": %zu, \"errors\": %zu, \"body_bytes\": "
      "%zu}\n",
      static_cast<double>(requests) / seconds, spread.p50, spread.p99, requests, totals.errors, totals.body_bytes);
}
