#include "http/client.hpp"

#include "http/client_connection.hpp"
#include "task/error.hpp"

namespace quoll::http {
namespace {

bool names_a_body(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

std::string head_of(const ClientRequest& request, std::string_view host) {
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\n";
  bool has_host = false;
  for (const auto& [name, value] : request.headers) {
    has_host = has_host || equals_ignoring_case(name, "Host");
    head += name + ": " + value + "\r\n";
  }
  if (!has_host) head += "Host: " + std::string(host) + "\r\n";
  if (request.body_producer) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (!request.body.empty() || names_a_body(request.method)) {
    head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return head + "\r\n";
}

std::uint16_t parse_port(std::string_view text, std::string_view url) {
  unsigned port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') port = 65536;
    port = std::min(port * 10 + static_cast<unsigned>(c - '0'), 65536u);
  }
  if (text.empty() || port > 65535) throw Error(ErrorClass::kInvalidArgument, std::string(url) + ": malformed port");
  return static_cast<std::uint16_t>(port);
}

}  // namespace

task::Task<std::size_t> ClientResponse::read_body(std::span<char> buffer) {
  return connection_->read_body(*this, buffer);
}

task::Task<std::string> ClientResponse::read_body_all(std::size_t limit) {
  std::string body;
  std::size_t size = 0;
  while (true) {
    body.resize(std::min(limit, size + std::max<std::size_t>(size, 4096)) + 1);
    const std::size_t count = co_await read_body(std::span(body).subspan(size));
    if (count == 0) break;
    size += count;
    if (size > limit) {
      throw Error(ErrorClass::kResourceExhausted, "answer is larger than " + std::to_string(limit) + " bytes");
    }
  }
  body.resize(size);
  co_return body;
}

Client::Client(Address address) : address_(std::move(address)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Client Client::tcp(std::string host, std::uint16_t port, std::optional<ClientProxy> proxy) {
  return Client(Address{std::move(host), port, false, {}, std::move(proxy)});
}
Client Client::tls(std::string host, std::uint16_t port, std::shared_ptr<const TlsContext> context,
                   std::optional<ClientProxy> proxy) {
  return Client(Address{std::move(host), port, false, std::move(context), std::move(proxy)});
}
Client Client::unix_socket(std::string path) { return Client(Address{std::move(path), 0, true}); }

Client Client::from_url(std::string_view url) {
  if (url.starts_with("unix://")) return unix_socket(std::string(url.substr(7)));
  for (const std::string_view scheme : {"tcp://", "http://"}) {
    if (!url.starts_with(scheme)) continue;
    std::string_view authority = url.substr(scheme.size());
    authority = authority.substr(0, authority.find('/'));
    const std::size_t colon = authority.rfind(':');
    const bool has_port = colon != std::string_view::npos && !authority.ends_with(']');
    const std::uint16_t port =
        has_port ? parse_port(authority.substr(colon + 1), url) : (scheme == "tcp://" ? 2375 : 80);
    std::string_view host = has_port ? authority.substr(0, colon) : authority;
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (!host.empty()) return tcp(std::string(host), port);
  }
  throw Error(ErrorClass::kInvalidArgument,
              std::string(url) + ": not unix://PATH, tcp://HOST:PORT or http://HOST:PORT");
}

void Client::close() { connection_.reset(); }

// Of what goes through a proxy: the name that the proxy is to look for.
std::string Client::host_field() const {
  if (address_.is_unix) return "localhost";
  const bool is_v6 = address_.host.find(':') != std::string::npos;
  std::string host = is_v6 ? "[" + address_.host + "]" : address_.host;
  if (address_.port != (address_.tls ? 443 : 80)) host += ":" + std::to_string(address_.port);
  return host;
}

void Client::address_to_proxy(ClientRequest& request) const {
  if (!address_.proxy || address_.tls) return;
  request.target = "http://" + host_field() + request.target;
  if (!address_.proxy->authorization.empty()) {
    request.headers.emplace_back("Proxy-Authorization", address_.proxy->authorization);
  }
}

task::Task<void> Client::connect_by_proxy(const ClientProxy& proxy) {
  const std::string name = "proxy " + proxy.host + ":" + std::to_string(proxy.port) + ": ";
  try {
    connection_ = std::make_unique<ClientConnection>(co_await connect_tcp(proxy.host, proxy.port));
    if (!address_.tls) co_return;
    ClientRequest request{.method = "CONNECT"};
    const bool is_v6 = address_.host.find(':') != std::string::npos;
    request.target = (is_v6 ? "[" + address_.host + "]:" : address_.host + ":") + std::to_string(address_.port);
    if (!proxy.authorization.empty()) request.headers.emplace_back("Proxy-Authorization", proxy.authorization);
    const std::string head = head_of(request, request.target);
    const std::optional<ClientResponse> answer = co_await connection_->exchange(request, head);
    if (!answer) throw Error(ErrorClass::kUnavailable, "it closed the connection");
    if (answer->status() / 100 != 2) {
      throw Error(ErrorClass::kUnavailable, std::to_string(answer->status()) + " " + std::string(answer->reason()));
    }
  } catch (const Error& error) {
    connection_.reset();
    throw Error(error.error_class(), name + error.message());
  }
  co_await connection_->start_tls(*address_.tls, address_.host);
}

task::Task<void> Client::connect() {
  if (address_.proxy) co_return co_await connect_by_proxy(*address_.proxy);
  UniqueFd fd =
      address_.is_unix ? co_await connect_unix(address_.host) : co_await connect_tcp(address_.host, address_.port);
  auto connection = std::make_unique<ClientConnection>(std::move(fd));
  if (address_.tls) co_await connection->start_tls(*address_.tls, address_.host);
  connection_ = std::move(connection);
}

task::Task<ClientResponse> Client::request(ClientRequest request) {
  // A connection that carries half an answer, or was left by a cancelled request, is of no more use.
  if (connection_ && !connection_->is_idle()) close();
  bool reused = connection_ != nullptr;
  address_to_proxy(request);
  while (true) {
    if (!connection_) co_await connect();
    const std::string head = head_of(request, host_field());
    std::optional<ClientResponse> response = co_await connection_->exchange(request, head);
    if (response) co_return std::move(*response);
    close();
    // The server may close a connection while it is idle; only then nothing of the request has been looked at.
    if (!reused || request.body_producer) throw Error(ErrorClass::kUnavailable, "the server closed the connection");
    reused = false;
  }
}

task::Task<ClientResponse> Client::get(std::string target) {
  ClientRequest request;
  request.target = std::move(target);
  return this->request(std::move(request));
}

task::Task<ClientResponse> Client::post(std::string target, std::string body, std::string content_type) {
  ClientRequest request;
  request.method = "POST";
  request.target = std::move(target);
  if (!body.empty()) request.headers.emplace_back("Content-Type", std::move(content_type));
  request.body = std::move(body);
  return this->request(std::move(request));
}

task::Task<std::size_t> Client::read_raw(std::span<char> buffer) { return connection_->read_raw(buffer); }

task::Task<void> Client::write_raw(std::string_view bytes) {
  const std::string_view parts[] = {bytes};
  co_await connection_->write(parts);
}

void Client::shutdown_write() { connection_->shutdown_write(); }

}  // namespace quoll::http
