// Connection: one client's socket and what it has sent; Exchange: one request on it and its answer. For the files of
// http/ only.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <string>

#include "http/gather.hpp"
#include "http/input_buffer.hpp"
#include "http/local_signal.hpp"
#include "http/message_parser.hpp"
#include "http/request.hpp"
#include "http/response.hpp"
#include "http/server.hpp"
#include "task/scope.hpp"
#include "task/this_task.hpp"
#include "task/unique_fd.hpp"

namespace quoll::http {

class Exchange;

// The connections that live on one worker, and what they share. Thread: that worker's.
struct Home {
  task::Worker* worker = nullptr;
  Connection* first = nullptr;
  std::string scratch;      // the head that is being composed; empty between two awaits
  MessageHead spare;        // memory of the last request
  std::string date_header;  // renewed each second
  std::int64_t date_seconds = 0;
};

// Who reads the socket: the connection's own task between requests and for the rest of a head. Once a handler has
// suspended, a second task, the watch, is the only reader until the answer has ended: it fills the input buffer, from
// which read_body() takes, and it notices that the client leaves.
//
// Lifetime: in serve_connection()'s frame.
// Thread:   its worker's.
class Connection final : private task::TimerNode {
 public:
  using Socket =
      boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, boost::asio::io_context::executor_type>;

  Connection(Server& server, Home& home, UniqueFd fd);
  ~Connection();

  // Between requests. end_idle() is false where there is no further request.
  bool wants_request() const;
  Socket& socket() { return socket_; }
  InputBuffer& input() { return input_; }
  std::span<char> start_idle();
  bool end_idle(const boost::system::error_code& error, std::size_t count);
  Connection* next() const { return next_; }
  // The server stops: an idle connection ends now, a busy one after its answer.
  void begin_stop();
  // Reads on a little after a last answer, for the kernel would throw that away with the unread input.
  task::Task<void> linger();
  bool lingers() const { return linger_ && !gone_ && !input_ended_; }

  // During a request.
  void attach(Exchange* exchange) { exchange_ = exchange; }
  task::Task<bool> read_more_head();  // false: the client sends no more, or is too slow
  task::Task<std::size_t> read_body(std::span<char> buffer);
  task::Task<std::size_t> read_raw(std::span<char> buffer);
  // For BodyLoan. Until take_back() nothing else may touch the socket. REQUIRES: ready_to_lend() has just returned.
  task::Task<void> ready_to_lend();
  UniqueFd lend_socket();
  void take_back(UniqueFd socket, bool ended);
  // A body that cannot be read further: no request follows it.
  [[noreturn]] void refuse_body(int status, std::string text);
  [[noreturn]] void throw_gone();
  // For the handler's first suspension, and for the end of a loan.
  void on_handler_suspended();
  bool watch_running() const;
  task::Task<void> stop_watch();
  task::Task<void> watch_for_disconnect();
  // Reads what is left of a body that the handler did not want; false where it is too much to keep the connection.
  task::Task<bool> drain_body();

  // Writes what the socket takes now; true once all is written. A head that is left over is kept.
  // Errors: throws as Response does where the client is gone.
  bool write_now(Gather& out);
  task::Task<void> write_rest(Gather& out, std::chrono::milliseconds timeout);
  // Keeps a small whole answer while another request is waiting in the input, so that both leave together.
  bool write_later(const Gather& out);
  task::Task<void> flush();
  bool has_unsent() const { return !unsent_.empty(); }
  void shutdown_write();
  void widen_output();
  // What moves much without ever waiting asks before each piece whether others should have their turn first.
  void add_to_turn(std::size_t bytes);
  bool turn_is_over();

  void close_after_answer() { close_after_ = true; }
  void close_unread() { close_after_ = linger_ = true; }
  bool input_has_ended() const { return input_ended_; }
  bool closes_after_answer() const { return close_after_; }
  void client_left();  // cancels the request where its route says so
  bool gone() const { return gone_; }
  void set_hijacked() { hijacked_ = true; }

  Server& server() { return server_; }
  Home& home() { return home_; }
  const ServerOptions& options() const { return server_.options_; }
  Exchange& exchange() { return *exchange_; }
  const std::string& client() const { return client_; }
  bool is_unix() const { return is_unix_; }
  std::string_view date_header();

 private:
  enum class Received : std::uint8_t { kBytes, kNothingYet, kEnd };

  void fire() override;
  void set_deadline(std::int64_t& deadline, std::chrono::milliseconds timeout);
  boost::system::error_code adopt(UniqueFd fd);
  void name_client();
  Received receive_now();
  task::Task<void> wait_for_input();
  void start_watch();
  void input_ended();
  bool client_is_gone();
  void abort_waits();
  void send_continue();

  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  struct Counted {
    std::atomic<std::size_t>& count;
    ~Counted() { count.fetch_sub(1, std::memory_order_relaxed); }
  };

  Server& server_;
  const Counted counted_;
  Home& home_;
  Connection* previous_ = nullptr;
  Connection* next_ = nullptr;

  Socket socket_;
  std::string client_;
  InputBuffer input_;
  std::string unsent_;  // heads and whole answers that the socket did not take yet; go before everything else
  std::int64_t read_deadline_ns_ = kNever;
  std::int64_t write_deadline_ns_ = kNever;
  Exchange* exchange_ = nullptr;
  LocalSignal input_ready_;
  LocalSignal space_ready_;
  std::uint32_t turn_bytes_ = 0;

  bool is_unix_ = false;
  bool idle_ = false;
  bool close_after_ = false;
  bool linger_ = false;
  bool input_ended_ = false;  // the client sends no more
  bool gone_ = false;         // nor does it read
  bool hijacked_ = false;
  bool write_shut_ = false;
  bool read_timed_out_ = false;
  bool write_timed_out_ = false;
  bool watch_wanted_ = false;
};

// Lifetime: in serve_request()'s frame.
class Exchange {
 public:
  explicit Exchange(Connection& connection);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Takes what the input has of the head; true once it is whole, or failed.
  bool parse_head();
  // Fills in the request; a status where it has to be refused.
  ParseFailure accept_head();
  // Finds the route and calls its handler.
  task::Task<void> start_handler();
  void end_handler();
  bool has_unread_body() const;
  bool is_head_method() const { return request.method() == "HEAD"; }
  bool cancels_on_disconnect() const { return policy == CancelPolicy::kCancelOnDisconnect; }
  // Where the answer is counted, and as what.
  RouteStats& stats() const;
  int status_for_stats() const;
  // Whether the connection can carry another request behind this one's answer.
  bool keeps_connection() const;

  Connection& connection;
  Request request;
  RequestParser parser;
  Response response;
  task::Labels labels;
  task::CancelNode* node = nullptr;  // the request's
  CancelPolicy policy = CancelPolicy::kCancelOnDisconnect;
  bool expects_continue = false;
  std::optional<task::Scope> watch_scope;  // below the request's cancel node; there while the watch may run
};

task::Task<void> serve_connection(Server& server, Home& home, UniqueFd fd);
task::Task<void> serve_request(Connection& connection);

// Why a request is refused as a foreign web page's; "" where it is not.
std::string_view foreign_origin(const Request& request, const ServerOptions& options);

}  // namespace quoll::http
