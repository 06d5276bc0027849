// BodyLoan: a request's body in the hands of a blocking function, which reads the socket itself. For the files of http/
// only: handlers say Request::consume_body().
//
// What unpacks an upload blocks anyway. Fed by the connection's worker it costs a waking of that worker for each piece
// that the client writes, and a waking of its own thread; reading by itself it takes at once whatever has come while it
// wrote (docs/decisions/0017-lent-bodies.md).
#pragma once

#include <cstddef>
#include <span>
#include <stop_token>
#include <string_view>

#include "http/request.hpp"
#include "task/unique_fd.hpp"

namespace quoll::http {

class Connection;

// Takes the socket from the connection: nobody else reads or watches it.
//
// Lifetime: within the handler, which awaits run() meanwhile.
// Thread:   run() on one that may block; all else on the connection's worker.
class BodyLoan {
 public:
  // REQUIRES: connection.ready_to_lend() has just returned.
  explicit BodyLoan(Connection& connection);
  BodyLoan(const BodyLoan&) = delete;
  BodyLoan& operator=(const BodyLoan&) = delete;
  // Gives back what has not been given back.
  ~BodyLoan();

  // Calls `consume`, and drops what it leaves of the body.
  // Errors: kCancelled once `stop` is requested; StatusError 400 for a body that is malformed or ends early; what
  // `consume` throws.
  void run(const BodyConsumer& consume, const std::stop_token& stop);

  // The connection has its socket again, and watches it.
  // Errors: as Request::read_body() where the client has left.
  void give_back();

 private:
  std::size_t read(std::span<char> buffer, const std::stop_token& stop);
  std::size_t parse(std::string_view bytes, std::span<char> out, std::size_t& count);
  std::size_t receive_in_place(std::span<char> buffer, const std::stop_token& stop);
  std::size_t receive(std::span<char> room, const std::stop_token& stop);
  void wait(const std::stop_token& stop);
  void return_socket();

  Connection& connection_;
  UniqueFd socket_;
  UniqueFd stop_event_;  // made at the first wait
  bool ended_ = false;
};

}  // namespace quoll::http
