#include "http/tls.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <limits>

#include "task/error.hpp"

namespace quoll::http {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
};

std::string library_reason() {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  const char* const text = code == 0 ? nullptr : ::ERR_reason_error_string(code);
  return text == nullptr ? "unknown error" : text;
}

[[noreturn]] void refuse_file(const std::string& path) {
  throw Error(ErrorClass::kInvalidArgument, path + ": " + library_reason());
}

bool is_address(const std::string& host) {
  in6_addr scratch{};
  return ::inet_pton(AF_INET, host.c_str(), &scratch) == 1 || ::inet_pton(AF_INET6, host.c_str(), &scratch) == 1;
}

std::string verification_failure(long result, const std::string& host) {
  switch (result) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "x509: certificate signed by unknown authority";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "x509: certificate has expired or is not yet valid";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "x509: certificate is not valid for " + host;
    default:
      return std::string("x509: ") + ::X509_verify_cert_error_string(result);
  }
}

// What OpenSSL says where the answer to its greeting is plain HTTP.
bool is_not_tls(unsigned long code) {
  const int reason = ERR_GET_REASON(code);
  return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_PACKET_LENGTH_TOO_LONG;
}

}  // namespace

struct TlsContext::Impl {
  std::unique_ptr<SSL_CTX, FreeContext> context;
};

struct TlsStream::Impl {
  std::unique_ptr<SSL, FreeSsl> ssl;
};

TlsContext::TlsContext(const TlsOptions& options) : impl_(std::make_unique<Impl>()) {
  impl_->context.reset(::SSL_CTX_new(::TLS_client_method()));
  SSL_CTX* const context = impl_->context.get();
  if (context == nullptr) throw Error(ErrorClass::kResourceExhausted, "tls: " + library_reason());
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  // A server that closes without a farewell is told from a short message by HTTP's own lengths.
  ::SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  if (options.verify) {
    ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    ::SSL_CTX_set_default_verify_paths(context);
  }
  for (const std::string& path : options.ca_files) {
    if (::SSL_CTX_load_verify_locations(context, path.c_str(), nullptr) != 1) refuse_file(path);
  }
  if (!options.client_certificate.empty()) {
    if (::SSL_CTX_use_certificate_chain_file(context, options.client_certificate.c_str()) != 1) {
      refuse_file(options.client_certificate);
    }
    if (::SSL_CTX_use_PrivateKey_file(context, options.client_key.c_str(), SSL_FILETYPE_PEM) != 1) {
      refuse_file(options.client_key);
    }
  }
  ::ERR_clear_error();
}

TlsContext::~TlsContext() = default;

TlsStream::TlsStream(task::AsyncFd& fd, const TlsContext& context) : fd_(fd), impl_(std::make_unique<Impl>()) {
  impl_->ssl.reset(::SSL_new(context.impl_->context.get()));
  if (!impl_->ssl || ::SSL_set_fd(impl_->ssl.get(), fd.get()) != 1) {
    throw Error(ErrorClass::kResourceExhausted, "tls: " + library_reason());
  }
}

TlsStream::~TlsStream() = default;

// REQUIRES: `ssl_error` is one of the two that ask for the descriptor.
task::Task<void> TlsStream::wait(int ssl_error) {
  if (ssl_error == SSL_ERROR_WANT_WRITE) {
    co_await fd_.writable();
  } else {
    co_await fd_.readable();
  }
}

task::Task<void> TlsStream::handshake(std::string host) {
  SSL* const ssl = impl_->ssl.get();
  if (is_address(host)) {
    ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), host.c_str());
  } else {
    ::SSL_set1_host(ssl, host.c_str());
    SSL_set_tlsext_host_name(ssl, host.c_str());
  }
  while (true) {
    ::ERR_clear_error();
    const int done = ::SSL_connect(ssl);
    if (done == 1) co_return;
    const int error = ::SSL_get_error(ssl, done);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      co_await wait(error);
      continue;
    }
    const unsigned long code = ::ERR_peek_error();
    if (is_not_tls(code)) throw Error(ErrorClass::kUnavailable, "http: " + std::string(kNotTls));
    if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
      const long result = ::SSL_get_verify_result(ssl);
      ::ERR_clear_error();
      throw Error(ErrorClass::kUnavailable, "tls: failed to verify certificate: " + verification_failure(result, host));
    }
    if (code == 0) throw Error(ErrorClass::kUnavailable, "tls: the server closed the connection");
    throw Error(ErrorClass::kUnavailable, "tls: " + library_reason());
  }
}

task::Task<std::size_t> TlsStream::read_some(std::span<char> buffer) {
  SSL* const ssl = impl_->ssl.get();
  const int room = static_cast<int>(std::min<std::size_t>(buffer.size(), std::numeric_limits<int>::max()));
  while (true) {
    ::ERR_clear_error();
    const int count = ::SSL_read(ssl, buffer.data(), room);
    if (count > 0) co_return static_cast<std::size_t>(count);
    const int error = ::SSL_get_error(ssl, count);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      const unsigned long code = ::ERR_peek_error();
      // With TLS 1.3 a refusal of our certificate (or of its absence) comes behind the handshake.
      if (error == SSL_ERROR_SSL && code != 0) throw Error(ErrorClass::kUnavailable, "tls: " + library_reason());
      co_return 0;
    }
    co_await wait(error);
  }
}

task::Task<void> TlsStream::write_all(std::string_view bytes) {
  SSL* const ssl = impl_->ssl.get();
  while (!bytes.empty()) {
    ::ERR_clear_error();
    const int room = static_cast<int>(std::min<std::size_t>(bytes.size(), std::numeric_limits<int>::max()));
    const int count = ::SSL_write(ssl, bytes.data(), room);
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    const int error = ::SSL_get_error(ssl, count);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      throw Error(ErrorClass::kUnavailable, "write to the server: " + library_reason());
    }
    co_await wait(error);
  }
}

}  // namespace quoll::http
