#include "http/test_support.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <thread>

#include "http/fields.hpp"
#include "http/status.hpp"
#include "task/scope.hpp"

namespace quoll::http {
namespace {

constexpr std::chrono::seconds kPatience{10};

UniqueFd connect_to(const sockaddr* address, socklen_t size) {
  UniqueFd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{kPatience.count(), 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (::connect(fd.get(), address, size) != 0) throw std::runtime_error("connect failed");
  return fd;
}

UniqueFd connect_tcp(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  UniqueFd fd = connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

UniqueFd connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

}  // namespace

task::Task<std::string> read_lent(Request& request, std::size_t limit, std::size_t piece_bytes) {
  std::string body;
  co_await request.consume_body([&](const BodySource& source, const std::stop_token&) {
    std::vector<char> piece(piece_bytes);
    while (const std::size_t count = source(piece)) {
      body.append(piece.data(), count);
      if (body.size() > limit) throw StatusError(413, "larger than the test wants");
    }
  });
  co_return body;
}

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count - 1;  // the directory's own
}

RawClient::RawClient(std::uint16_t port) : fd_(connect_tcp(port)) {}
RawClient::RawClient(const std::string& path) : fd_(connect_unix(path)) {}

void RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error("send failed");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::size_t RawClient::send_until_full(std::size_t bytes_max) {
  const std::string block(16 * 1024, 'x');
  std::size_t total = 0;
  for (int failures = 0; total < bytes_max && failures < 20;) {
    const ssize_t sent = ::send(fd(), block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      total += static_cast<std::size_t>(sent);
      failures = 0;
    } else if (errno == EAGAIN) {
      ++failures;
      std::this_thread::yield();
    } else {
      break;
    }
  }
  return total;
}

bool RawClient::receive() {
  char block[16 * 1024];
  const ssize_t count = ::recv(fd(), block, sizeof(block), 0);
  if (count < 0 && errno == EAGAIN) throw std::runtime_error("nothing came; so far: " + received_);
  if (count <= 0) return false;
  received_.append(block, static_cast<std::size_t>(count));
  return true;
}

std::string RawClient::read_until(std::string_view end) {
  std::size_t at = received_.find(end);
  while (at == std::string::npos) {
    if (!receive()) throw std::runtime_error("closed before '" + std::string(end) + "'; got: " + received_);
    at = received_.find(end);
  }
  std::string text = received_.substr(0, at + end.size());
  received_.erase(0, at + end.size());
  return text;
}

std::string RawClient::read_exactly(std::size_t count) {
  while (received_.size() < count) {
    if (!receive()) throw std::runtime_error("closed early; got: " + received_);
  }
  std::string text = received_.substr(0, count);
  received_.erase(0, count);
  return text;
}

std::string RawClient::read_to_end() {
  while (receive()) {
  }
  return std::exchange(received_, {});
}

bool RawClient::at_end() { return received_.empty() && !receive(); }

std::string RawClient::Answer::header(std::string_view name) const {
  std::string_view rest = head;
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos && equals_ignoring_case(line.substr(0, colon), name)) {
      return std::string(line.substr(colon + 2));
    }
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 2);
  }
  return {};
}

RawClient::Answer RawClient::read_answer(bool head_only) {
  Answer answer;
  answer.head = read_until("\r\n\r\n");
  answer.status = std::stoi(answer.head.substr(9, 3));
  if (head_only || answer.status == 204 || answer.status == 304 || answer.status < 200) return answer;
  if (answer.header("Transfer-Encoding") == "chunked") {
    while (true) {
      const std::size_t size = std::stoul(read_until("\r\n"), nullptr, 16);
      if (size == 0) break;
      answer.body += read_exactly(size);
      EXPECT_EQ(read_exactly(2), "\r\n");
    }
    EXPECT_EQ(read_until("\r\n"), "\r\n");
  } else if (!answer.header("Content-Length").empty()) {
    answer.body = read_exactly(std::stoul(answer.header("Content-Length")));
  }
  return answer;
}

RawClient::Answer RawClient::get(std::string_view target) {
  send("GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return read_answer();
}

void RawClient::shutdown_write() { ::shutdown(fd(), SHUT_WR); }
void RawClient::close() { fd_.reset(); }

void RawClient::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  fd_.reset();
}

TemporaryDirectory::TemporaryDirectory() {
  char path[] = "/tmp/quoll-http-XXXXXX";
  if (::mkdtemp(path) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = path;
}

TemporaryDirectory::~TemporaryDirectory() { std::filesystem::remove_all(path_); }

TestServer::TestServer(ServerOptions options, std::chrono::milliseconds grace, task::Clock* clock)
    : runtime_(clock != nullptr ? *clock : task::Clock::system()), options_(std::move(options)), grace_(grace) {
  runtime_.add_worker("http-0");
  runtime_.add_worker("http-1");
}

TestServer::~TestServer() { stop(); }

void TestServer::route(std::string method, std::string pattern, Handler handler, CancelPolicy policy) {
  router_.add(std::move(method), std::move(pattern), std::move(handler), policy);
}

void TestServer::start() {
  server_ = std::make_unique<Server>(runtime_, router_, options_);
  port_ = server_->listen_tcp("127.0.0.1", 0);
  server_->listen_unix(socket_path());
  runtime_.start();
}

namespace {

task::Task<void> run_and_tell(task::Task<void> work, std::mutex* mutex, std::condition_variable* ended, bool* done,
                              std::exception_ptr* failure) {
  try {
    co_await std::move(work);
  } catch (...) {
    *failure = std::current_exception();
  }
  const std::lock_guard lock(*mutex);
  *done = true;
  ended->notify_all();
}

}  // namespace

void TestServer::run(task::Task<void> work) {
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  std::exception_ptr failure;
  task::Scope scope("test");
  scope.spawn_on(runtime_.worker(0), "test", run_and_tell(std::move(work), &mutex, &ended, &done, &failure));
  {
    std::unique_lock lock(mutex);
    ended.wait(lock, [&] { return done; });
  }
  eventually([&] { return scope.size() == 0; });
  if (failure) std::rethrow_exception(failure);
}

void TestServer::settle() {
  for (const auto& worker : runtime_.workers()) {
    std::promise<void> done;
    worker->post([&done] { done.set_value(); });
    done.get_future().wait();
  }
}

void TestServer::stop() {
  if (!server_) return;
  run(server_->stop(grace_));
  EXPECT_EQ(server_->connection_count(), 0u);
  EXPECT_TRUE(eventually([&] { return runtime_.task_count() == 0; }));
  runtime_.stop();
  server_.reset();
}

}  // namespace quoll::http
