// The peer that the HTTP server is measured against: Beast with bare callbacks, one thread, no cancellation, no
// records. Prints its port, and serves GET /_ping until it is killed.
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdio>
#include <memory>
#include <utility>

namespace {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using boost::system::error_code;

class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(Socket socket) : socket_(std::move(socket)) {}

  void read() {
    request_ = {};
    beast_http::async_read(socket_, buffer_, request_,
                           [self = shared_from_this()](const error_code& error, std::size_t) {
                             if (!error) self->answer();
                           });
  }

 private:
  void answer() {
    response_ = {};
    response_.version(11);
    response_.result(request_.target() == "/_ping" ? beast_http::status::ok : beast_http::status::not_found);
    response_.set(beast_http::field::content_type, "text/plain; charset=utf-8");
    response_.keep_alive(request_.keep_alive());
    response_.body() = "OK";
    response_.prepare_payload();
    beast_http::async_write(socket_, response_, [self = shared_from_this()](const error_code& error, std::size_t) {
      if (!error && self->response_.keep_alive()) self->read();
    });
  }

  Socket socket_;
  boost::beast::flat_buffer buffer_;
  beast_http::request<beast_http::string_body> request_;
  beast_http::response<beast_http::string_body> response_;
};

void accept(Acceptor& acceptor) {
  acceptor.async_accept([&acceptor](const error_code& error, Socket socket) {
    if (!error) {
      error_code ignored;
      socket.set_option(asio::ip::tcp::no_delay(true), ignored);
      std::make_shared<Session>(std::move(socket))->read();
    }
    accept(acceptor);
  });
}

}  // namespace

int main() {
  asio::io_context context(1);
  Acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0});
  std::printf("%u\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  accept(acceptor);
  context.run();
}
