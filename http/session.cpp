// The life of a connection and of each request on it.
#include <boost/asio/buffer.hpp>

#include "http/connection.hpp"
#include "http/status.hpp"
#include "task/asio.hpp"
#include "task/clock.hpp"

namespace quoll::http {
namespace {

constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

// What breaks HTTP itself. Nothing behind it can be understood, so the connection ends.
task::Task<void> refuse(Exchange& exchange, ParseFailure failure) {
  exchange.connection.close_unread();
  exchange.response.set_status(failure.status);
  const std::string body = std::to_string(failure.status) + " " + std::string(reason_phrase(failure.status)) + ": " +
                           std::string(failure.text) + "\n";
  co_await exchange.response.send(body, kPlainText);
}

// Waits for the rest of a head; false where it does not come.
task::Task<bool> receive_head(Exchange& exchange) {
  Connection& connection = exchange.connection;
  if (connection.has_unsent()) co_await connection.flush();
  if (co_await connection.read_more_head()) co_return true;
  connection.close_after_answer();
  if (!connection.input_has_ended()) co_await refuse(exchange, {408, "request header took too long"});
  co_return false;
}

// For a handler that has returned without ending its answer.
task::Task<void> end_answer(Exchange& exchange) {
  if (!exchange.response.headers_sent()) throw Error(ErrorClass::kInternal, "the handler gave no answer");
  co_await exchange.response.finish();
}

task::Task<void> answer_failure(Exchange& exchange, std::exception_ptr failure) {
  Connection& connection = exchange.connection;
  const ServerOptions& options = connection.options();
  const bool headers_sent = exchange.response.headers_sent();
  if (connection.gone()) co_return;
  if (exchange.request.matched() && options.on_error) options.on_error(exchange.request, failure, headers_sent);
  if (headers_sent) {
    connection.close_after_answer();
    co_return;
  }
  ErrorReply reply{status_of(failure), message_of(failure) + "\n"};
  if (options.render_error) reply = options.render_error(exchange.request, failure);
  exchange.response.set_status(reply.status);
  co_await exchange.response.send(reply.body, reply.content_type);
}

// The request's token was cancelled, but the client may still be there (shutdown, overload): a last word that waits
// for nothing, as every await throws by now.
void answer_cancelled(Exchange& exchange, task::CancelReason reason) {
  Connection& connection = exchange.connection;
  connection.close_after_answer();
  if (connection.gone() || exchange.response.headers_sent()) return;
  const std::string body = "request cancelled: " + std::string(to_string(reason)) + "\n";
  const std::string head =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
      "Content-Length: " +
      std::to_string(body.size()) + "\r\n\r\n";
  const std::string_view parts[] = {body};
  Gather out(head, parts);
  connection.write_now(out);
}

// A cancellation that came out of the handler although nobody cancelled the request: one of its own deadlines.
std::exception_ptr stray_cancellation(task::CancelReason reason) {
  const bool late = reason == task::CancelReason::kDeadline;
  return std::make_exception_ptr(Error(late ? ErrorClass::kDeadlineExceeded : ErrorClass::kCancelled,
                                       "request cancelled: " + std::string(to_string(reason))));
}

// Counts a request when it has been answered, or has been left without an answer.
class AnswerCount {
 public:
  explicit AnswerCount(const Exchange& exchange) : exchange_(exchange), start_ns_(task::precise_now_ns()) {}
  ~AnswerCount() {
    const std::chrono::nanoseconds duration(task::precise_now_ns() - start_ns_);
    exchange_.stats().add(exchange_.status_for_stats(), duration);
  }
  AnswerCount(const AnswerCount&) = delete;
  AnswerCount& operator=(const AnswerCount&) = delete;

 private:
  const Exchange& exchange_;
  const std::int64_t start_ns_;
};

struct StartWatch {
  Connection* connection;
  void operator()() const { connection->on_handler_suspended(); }
};

}  // namespace

task::Task<void> serve_request(Connection& connection) {
  Exchange exchange(connection);
  if (!exchange.parse_head() && !co_await receive_head(exchange)) co_return;
  const AnswerCount count(exchange);
  if (const ParseFailure refusal = exchange.accept_head(); refusal.status != 0) {
    co_await refuse(exchange, refusal);
    co_return;
  }
  const task::LabelScope labels(&exchange.labels);
  std::exception_ptr failure;
  {
    task::CancelScope cancel;
    exchange.node = &cancel.node();
    try {
      co_await task::start_inline(exchange.start_handler(), StartWatch{&connection});
      if (!exchange.response.ended()) co_await end_answer(exchange);
    } catch (const task::Cancelled& cancelled) {
      if (!cancel.node().cancelled()) failure = stray_cancellation(cancelled.reason());
    } catch (...) {
      failure = std::current_exception();
    }
    if (exchange.watch_scope) co_await connection.stop_watch();
    exchange.end_handler();
    if (cancel.node().cancelled()) answer_cancelled(exchange, cancel.node().reason());
  }
  if (failure) co_await answer_failure(exchange, std::move(failure));
  if (exchange.has_unread_body() && (connection.closes_after_answer() || !co_await connection.drain_body())) {
    connection.close_unread();
  }
}

task::Task<void> serve_connection(Server& server, Home& home, UniqueFd fd) {
  Connection connection(server, home, std::move(fd));
  while (connection.wants_request()) {
    if (connection.input().empty()) {
      if (connection.has_unsent()) co_await connection.flush();
      const std::span<char> room = connection.start_idle();
      const auto [error, count] =
          co_await connection.socket().async_read_some(boost::asio::buffer(room.data(), room.size()), task::use);
      if (!connection.end_idle(error, count)) break;
    }
    co_await serve_request(connection);
  }
  if (connection.has_unsent() && !connection.gone()) co_await connection.flush();
  if (connection.lingers()) co_await connection.linger();
}

}  // namespace quoll::http
