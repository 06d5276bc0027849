#include "http/request.hpp"

#include "http/body_loan.hpp"
#include "http/connection.hpp"
#include "http/router.hpp"
#include "http/status.hpp"
#include "http/uri.hpp"
#include "task/blocking.hpp"

namespace quoll::http {

std::optional<std::string> Request::query(std::string_view name) const { return query_value(raw_query_, name); }

bool Request::query_flag_or(std::string_view name, bool fallback) const {
  return query(name) ? query_flag(name) : fallback;
}

bool Request::query_flag(std::string_view name) const {
  const std::optional<std::string> value = query(name);
  return value && docker_bool(*value);
}

std::vector<std::string> Request::query_values(std::string_view name) const {
  return http::query_values(raw_query_, name);
}

std::string_view Request::param(std::string_view name) const {
  for (std::uint32_t i = 0; i < param_count_; ++i) {
    if (params_[i].name == name) return params_[i].value;
  }
  return {};
}

std::string_view Request::route() const { return matched_ != nullptr ? std::string_view(matched_->pattern) : ""; }

bool Request::set_target() {
  method_ = std::string_view(head_.text).substr(0, head_.method_size);
  target_ = std::string_view(head_.text).substr(head_.method_size);
  std::string_view path = target_.substr(0, target_.find('#'));
  // The absolute form, as sent to proxies: its authority says nothing that Host does not say.
  if (path.starts_with("http://")) {
    const std::size_t slash = path.find('/', 7);
    path = slash == std::string_view::npos ? "/" : path.substr(slash);
  }
  const std::size_t question = path.find('?');
  raw_query_ = question == std::string_view::npos ? std::string_view() : path.substr(question + 1);
  path_ = path.substr(0, question);
  if (path_.find('%') == std::string_view::npos) return path_.starts_with('/') || path_ == "*";
  std::optional<std::string> decoded = percent_decode(path_, false);
  if (!decoded) return false;
  decoded_path_ = std::move(*decoded);
  path_ = decoded_path_;
  return path_.starts_with('/');
}

task::Task<std::size_t> Request::read_body(std::span<char> buffer) { return connection_->read_body(buffer); }

task::Task<void> Request::consume_body(BodyConsumer consume) {
  co_await connection_->ready_to_lend();
  BodyLoan body(*connection_);
  std::exception_ptr failure;
  try {
    co_await task::blocking_at_peers_pace([&](const std::stop_token& stop) { body.run(consume, stop); });
  } catch (...) {
    failure = std::current_exception();
  }
  body.give_back();
  task::this_task::cancel_token().throw_if_cancelled();
  if (failure) std::rethrow_exception(failure);
}

task::Task<std::string> Request::read_body_all(std::size_t limit) {
  const std::string too_large = "request body is larger than " + std::to_string(limit) + " bytes";
  if (content_length_.value_or(0) > limit) throw StatusError(413, too_large);
  std::string body;
  std::size_t size = 0;
  while (true) {
    // One byte more than expected, so that the end is seen without growing again.
    body.resize(std::min(limit, size + static_cast<std::size_t>(content_length_.value_or(size + 4096))) + 1);
    const std::size_t count = co_await read_body(std::span(body).subspan(size));
    if (count == 0) break;
    size += count;
    if (size > limit) throw StatusError(413, too_large);
  }
  body.resize(size);
  co_return body;
}

}  // namespace quoll::http
