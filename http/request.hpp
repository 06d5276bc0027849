// Request: what a handler reads. Made by the server; one is reused for all requests of a connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "http/fields.hpp"
#include "http/message_parser.hpp"
#include "task/task.hpp"

namespace quoll::http {

// The next bytes of a body, at least one; 0 at its end. Blocks.
using BodySource = std::function<std::size_t(std::span<char>)>;
using BodyConsumer = std::function<void(const BodySource&, const std::stop_token&)>;

class Connection;
struct Route;

// Lifetime: valid, with all views it gives out, until the handler has returned.
// Thread:   the connection's worker; tasks that the handler spawns there may use it, one body reader at a time.
// Cancel:   read_body() throws Cancelled when the client has left, or Error{kCancelled} in a route that runs to its
// end.
class Request {
 public:
  std::string_view method() const { return method_; }
  // As it was sent, and its parts: the decoded path without a version prefix, and the undecoded query.
  std::string_view target() const { return target_; }
  std::string_view path() const { return path_; }
  std::string_view raw_query() const { return raw_query_; }
  // "1.41" where the path began with /v1.41/; "" otherwise.
  std::string_view api_version() const { return api_version_; }
  int version_minor() const { return head_.version_minor; }  // of HTTP/1.x

  // Names in any case; "" where absent.
  std::string_view header(std::string_view name) const { return head_.fields.get(name); }
  bool has_header(std::string_view name) const { return head_.fields.has(name); }
  const Fields& headers() const { return head_.fields; }

  // Decoded; the first of that name. Nothing where the query has no such name.
  std::optional<std::string> query(std::string_view name) const;
  // Docker's BoolValue: absent, "", 0, no, false and none are false, all else is true.
  bool query_flag(std::string_view name) const;
  // The same; `fallback` where the query has no such name.
  bool query_flag_or(std::string_view name, bool fallback) const;
  std::vector<std::string> query_values(std::string_view name) const;

  // A parameter of the route's pattern, decoded; "" where the pattern has none of that name.
  std::string_view param(std::string_view name) const;
  // The pattern that matched; "" where none did.
  std::string_view route() const;
  bool matched() const { return matched_ != nullptr; }

  // "127.0.0.1:4711" or "unix:pid=12,uid=0".
  std::string_view client() const { return client_; }
  std::uint64_t id() const { return id_; }
  // What dumps show of the request; a handler adds the container that it is about.
  task::Labels& labels() const { return *labels_; }

  bool has_body() const { return has_body_; }
  // Nothing for a chunked body.
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  // At least one byte, or 0 at the body's end. Sends `100 Continue` first where the client waits for that.
  // Errors: StatusError 400 for a body that is malformed or ends early.
  task::Task<std::size_t> read_body(std::span<char> buffer);
  // Runs `consume`, which blocks, on a thread beside the worker while the body comes, at the client's pace. The body is
  // read to its end even where `consume` has ended: a client that is kept from sending does not look for the answer.
  // Cancel: `consume` gets kCancelled from its source, and has ended.
  // Errors: as read_body(); else what `consume` throws. A source may throw for both reasons.
  task::Task<void> consume_body(BodyConsumer consume);
  // Errors: StatusError 413 where the body is longer than `limit`.
  task::Task<std::string> read_body_all(std::size_t limit);

 private:
  friend class Connection;
  friend class Exchange;
  friend class Router;

  // Splits the target; false where it is malformed.
  bool set_target();

  static constexpr std::size_t kParamsMax = 4;
  struct Param {
    std::string_view name;
    std::string_view value;
  };

  Connection* connection_ = nullptr;
  const Route* matched_ = nullptr;
  task::Labels* labels_ = nullptr;
  MessageHead head_;
  std::string decoded_path_;
  std::string_view method_;
  std::string_view target_;
  std::string_view path_;
  std::string_view raw_query_;
  std::string_view api_version_;
  std::string_view client_;
  std::array<Param, kParamsMax> params_;
  std::uint32_t param_count_ = 0;
  bool has_body_ = false;
  std::uint64_t id_ = 0;
  std::optional<std::uint64_t> content_length_;
};

}  // namespace quoll::http
