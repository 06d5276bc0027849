#include "daemon/test_hooks.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <ctime>

#include "task/clock.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/timer.hpp"

namespace quoll::daemon {
namespace {

constexpr std::string_view kPlainText = "text/plain; charset=utf-8";
constexpr int kSecondsMax = 60;

int seconds_of(const http::Request& request) {
  const std::string text = request.query("seconds").value_or("");
  int seconds = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || seconds < 0 || seconds > kSecondsMax) {
    throw Error(ErrorClass::kInvalidArgument, "seconds must be a number up to " + std::to_string(kSecondsMax));
  }
  return seconds;
}

task::Task<void> block_worker(http::Request& request, http::Response& response) {
  timespec left{seconds_of(request), 0};
  while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
  co_await response.send("blocked\n", kPlainText);
}

task::Task<void> spin_worker(http::Request& request, http::Response& response) {
  const std::int64_t end_ns = task::precise_now_ns() + std::int64_t{seconds_of(request)} * 1'000'000'000;
  while (task::precise_now_ns() < end_ns) {
  }
  co_await response.send("spun\n", kPlainText);
}

task::Task<void> sleep(std::chrono::seconds time) { co_await task::sleep_for(time); }

task::Task<void> shield_from_leaving(http::Request& request, http::Response& response) {
  const std::chrono::seconds time(seconds_of(request));
  co_await task::shielded(time + std::chrono::seconds(1), sleep(time));
  co_await response.send("done\n", kPlainText);
}

task::Task<void> wait_for_own_sender() {
  auto [sender, receiver] = task::make_channel<int>(0);
  co_await receiver.receive();
}

task::Task<void> lock_both(task::Mutex* first, task::Mutex* second, task::Event* both_locked, bool last) {
  const auto one = co_await first->lock();
  if (last) both_locked->set();
  co_await both_locked->wait();
  const auto two = co_await second->lock();
}

}  // namespace

TestHooks::TestHooks(http::Router& router) {
  router.add("POST", "/debug/test/block", block_worker);
  router.add("POST", "/debug/test/spin", spin_worker);
  router.add("POST", "/debug/test/shield", shield_from_leaving);
  router.add("POST", "/debug/test/leak", [this](http::Request&, http::Response& response) { return leak(response); });
}

task::Task<void> TestHooks::leak(http::Response& response) {
  leaked_.spawn("test.own sender", wait_for_own_sender());
  leaked_.spawn("test.lock first", lock_both(&first_, &second_, &locked_, false));
  leaked_.spawn("test.lock second", lock_both(&second_, &first_, &locked_, true));
  co_await response.send("leaked\n", kPlainText);
}

task::Task<void> TestHooks::stop() {
  leaked_.cancel(task::CancelReason::kShutdown);
  co_await leaked_.join();
}

}  // namespace quoll::daemon
