#include "http/message_parser.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstring>
#include <new>

namespace quoll::http {

namespace beast_http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;

namespace {

std::string_view view(BeastView text) { return {text.data(), text.size()}; }

// True where the line ends in "HTTP/x.y" of any digits: a version that is not ours, rather than rubbish.
bool names_other_version(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find('\r'));
  const std::size_t at = line.rfind(" HTTP/");
  if (at == std::string_view::npos) return false;
  const std::string_view version = line.substr(at + 6);
  return !version.empty() && version.find_first_not_of("0123456789.") == std::string_view::npos;
}

ParseFailure describe(const error_code& error, std::string_view bytes) {
  if (error == beast_http::error::header_limit) return {431, "request header is too large"};
  if (error == beast_http::error::body_limit) return {413, "request body is too large"};
  if (error == beast_http::error::bad_version && names_other_version(bytes)) {
    return {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  }
  if (error == beast_http::error::bad_method) return {400, "malformed method"};
  if (error == beast_http::error::bad_target) return {400, "malformed request target"};
  if (error == beast_http::error::bad_version) return {400, "malformed request line"};
  if (error == beast_http::error::bad_field) return {400, "malformed header name"};
  if (error == beast_http::error::bad_value) return {400, "malformed header value"};
  if (error == beast_http::error::bad_line_ending) return {400, "malformed line ending"};
  if (error == beast_http::error::bad_content_length || error == beast_http::error::multiple_content_length) {
    return {400, "malformed or contradictory Content-Length"};
  }
  if (error == beast_http::error::bad_transfer_encoding) return {400, "contradictory Transfer-Encoding"};
  if (error == beast_http::error::bad_chunk || error == beast_http::error::bad_chunk_extension) {
    return {400, "malformed chunked body"};
  }
  return {400, "malformed message"};
}

}  // namespace

void MessageHead::clear() {
  text.clear();
  fields.clear();
  method_size = 0;
}

template <bool kIsRequest>
class MessageParser<kIsRequest>::Impl final : public beast_http::basic_parser<kIsRequest> {
 public:
  Impl(MessageHead& head, std::size_t head_bytes_max) : head_(head), head_bytes_left_(head_bytes_max) {
    this->header_limit(static_cast<std::uint32_t>(head_bytes_max));
    this->body_limit(boost::none);
  }

  std::size_t parse_head(std::string_view bytes) {
    std::size_t taken = 0;
    // Empty lines before a request are left-overs of sloppy clients' earlier bodies.
    while (!this->got_some() && bytes.substr(taken).starts_with("\r\n")) taken += 2;
    bytes.remove_prefix(taken);
    error_code error;
    const std::size_t used = this->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    taken += used;
    if (error && error != beast_http::error::need_more) {
      failure_ = describe(error, bytes.substr(used));
    } else if ((this->is_header_done() ? used : bytes.size()) > head_bytes_left_) {
      // Beast bounds what is given at once; what it has taken before counts too.
      failure_ = {431, "request header is too large"};
    }
    head_bytes_left_ -= std::min(used, head_bytes_left_);
    if (this->is_header_done() && transfer_encoding_unknown_) failure_ = {501, "unsupported Transfer-Encoding"};
    return taken;
  }

  std::size_t parse_body(std::string_view bytes, std::span<char> out, std::size_t* produced) {
    target_ = out;
    produced_ = 0;
    std::size_t taken = 0;
    while (!this->is_done() && produced_ < target_.size() && taken < bytes.size()) {
      error_code error;
      const std::string_view rest = bytes.substr(taken);
      const std::size_t used = this->put(boost::asio::const_buffer(rest.data(), rest.size()), error);
      taken += used;
      if (error == beast_http::error::need_more) break;
      if (error) {
        failure_ = describe(error, rest);
        break;
      }
    }
    *produced = produced_;
    return taken;
  }

  const ParseFailure& failure() const { return failure_; }

 private:
  void on_request_impl(beast_http::verb, BeastView method, BeastView target, int version, error_code&) override {
    head_.text.assign(method.data(), method.size()).append(target.data(), target.size());
    head_.method_size = method.size();
    head_.version_minor = version % 10;
  }
  void on_response_impl(int status, BeastView reason, int version, error_code&) override {
    head_.text.assign(reason.data(), reason.size());
    head_.status = status;
    head_.version_minor = version % 10;
  }
  void on_field_impl(beast_http::field field, BeastView name, BeastView value, error_code&) override {
    if (this->is_header_done()) {
      if (head_.trailers != nullptr) head_.trailers->add(view(name), view(value));
      return;
    }
    if (field == beast_http::field::transfer_encoding && !equals_ignoring_case(view(value), "chunked")) {
      transfer_encoding_unknown_ = true;
    }
    head_.fields.add(view(name), view(value));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  void on_chunk_header_impl(std::uint64_t, BeastView, error_code&) override {}
  void on_finish_impl(error_code&) override {}
  std::size_t on_body_impl(BeastView body, error_code&) override { return take(view(body)); }
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView body, error_code&) override { return take(view(body)); }

  std::size_t take(std::string_view body) {
    const std::size_t count = std::min(body.size(), target_.size() - produced_);
    char* const to = target_.data() + produced_;
    if (count > 0 && to != body.data()) std::memmove(to, body.data(), count);
    produced_ += count;
    return count;
  }

  MessageHead& head_;
  std::size_t head_bytes_left_;
  std::span<char> target_;
  std::size_t produced_ = 0;
  bool transfer_encoding_unknown_ = false;
  ParseFailure failure_;
};

template <bool kIsRequest>
MessageParser<kIsRequest>::MessageParser(MessageHead& head, std::size_t head_bytes_max) {
  static_assert(sizeof(Impl) <= kStorage && alignof(Impl) <= 8);
  new (storage_) Impl(head, head_bytes_max);
}

template <bool kIsRequest>
MessageParser<kIsRequest>::~MessageParser() {
  impl().~Impl();
}

template <bool kIsRequest>
std::size_t MessageParser<kIsRequest>::parse_head(std::string_view bytes) {
  return impl().parse_head(bytes);
}

template <bool kIsRequest>
std::size_t MessageParser<kIsRequest>::parse_body(std::string_view bytes, std::span<char> out, std::size_t* produced) {
  return impl().parse_body(bytes, out, produced);
}

template <bool kIsRequest>
bool MessageParser<kIsRequest>::end_of_input() {
  if (done()) return true;
  if (!impl().got_some()) return false;
  error_code error;
  impl().put_eof(error);
  return !error;
}

template <bool kIsRequest>
void MessageParser<kIsRequest>::skip_body() {
  impl().skip(true);
}

template <bool kIsRequest>
bool MessageParser<kIsRequest>::head_done() const {
  return impl().is_header_done();
}

template <bool kIsRequest>
bool MessageParser<kIsRequest>::done() const {
  return impl().is_done();
}

template <bool kIsRequest>
bool MessageParser<kIsRequest>::keep_alive() const {
  return impl().keep_alive();
}

template <bool kIsRequest>
bool MessageParser<kIsRequest>::chunked() const {
  return impl().chunked();
}

template <bool kIsRequest>
bool MessageParser<kIsRequest>::upgrade() const {
  return impl().upgrade();
}

template <bool kIsRequest>
std::optional<std::uint64_t> MessageParser<kIsRequest>::content_length() const {
  const auto length = impl().content_length();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}

template <bool kIsRequest>
std::optional<std::uint64_t> MessageParser<kIsRequest>::content_length_left() const {
  const auto length = impl().content_length_remaining();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}

template <bool kIsRequest>
const ParseFailure& MessageParser<kIsRequest>::failure() const {
  return impl().failure();
}

template class MessageParser<true>;
template class MessageParser<false>;

}  // namespace quoll::http
