#include "http/connection.hpp"
#include "task/clock.hpp"
#include "task/error.hpp"

namespace quoll::http {
namespace {

task::Task<void> page_not_found() {
  throw Error(ErrorClass::kNotFound, "page not found");
  co_return;
}

}  // namespace

Exchange::Exchange(Connection& on)
    : connection(on), parser(request.head_, on.options().header_bytes_max), response(on) {
  std::swap(request.head_, on.home().spare);
  request.head_.clear();
  request.connection_ = &on;
  request.client_ = on.client();
  on.attach(this);
}

Exchange::~Exchange() {
  connection.attach(nullptr);
  request.head_.fields.shrink();
  if (request.head_.text.capacity() <= 1024) std::swap(request.head_, connection.home().spare);
}

bool Exchange::parse_head() {
  connection.input().consume(parser.parse_head(connection.input().bytes()));
  return parser.failure().status != 0 || parser.head_done();
}

ParseFailure Exchange::accept_head() {
  if (parser.failure().status != 0) return parser.failure();
  const bool is_new = request.version_minor() >= 1;
  if (!request.set_target()) return {400, "malformed request target"};
  const std::size_t hosts = request.headers().count("Host");
  if (hosts > 1) return {400, "more than one Host header"};
  if (hosts == 0 && is_new) return {400, "missing Host header"};
  if (!is_new && parser.chunked()) return {400, "a chunked body needs HTTP/1.1"};
  request.has_body_ = !parser.done();
  if (!parser.chunked()) request.content_length_ = parser.content_length().value_or(0);
  if (const std::string_view expect = request.header("Expect"); !expect.empty() && is_new) {
    if (!equals_ignoring_case(expect, "100-continue")) return {417, "unknown expectation"};
    expects_continue = request.has_body_;
  }
  if (!connection.is_unix() && connection.options().guard_origin) {
    const std::string_view why = foreign_origin(request, connection.options());
    if (!why.empty()) return {403, why};
  }
  request.id_ = connection.server().next_request_id_.fetch_add(1, std::memory_order_relaxed);
  request.labels_ = &labels;
  labels.request_id = request.id_;
  labels.started_ns = task::coarse_now_ns();
  labels.method = request.method();
  labels.client = request.client();
  return {};
}

task::Task<void> Exchange::start_handler() {
  const Route* const route = connection.server().router_.find(request);
  labels.path = request.path();
  labels.route = request.route();
  if (route == nullptr) return page_not_found();
  policy = route->policy;
  labels.runs_to_end = !cancels_on_disconnect();
  return route->handler(request, response);
}

void Exchange::end_handler() {
  node = nullptr;
  policy = CancelPolicy::kCancelOnDisconnect;  // no handler is left to be spared
}

RouteStats& Exchange::stats() const {
  return request.matched_ != nullptr ? *request.matched_->stats : connection.server().router_.unmatched_stats();
}

int Exchange::status_for_stats() const {
  if (connection.gone() && !response.ended()) return kClientGoneStatus;
  return response.headers_sent() ? response.status() : 503;
}

bool Exchange::has_unread_body() const { return !parser.done() && !connection.gone() && !response.hijacked(); }

bool Exchange::keeps_connection() const {
  if (connection.closes_after_answer() || connection.server().stopping_.load(std::memory_order_relaxed)) return false;
  if (!parser.head_done() || parser.failure().status != 0 || !parser.keep_alive()) return false;
  if (parser.done()) return true;
  // A client that waits for 100 Continue and sees an answer instead may or may not send its body: nobody can tell.
  if (expects_continue) return false;
  return parser.chunked() || *parser.content_length_left() <= connection.options().drain_bytes_max;
}

}  // namespace quoll::http
