// RegistrySession: authorised requests to one repository of one registry.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/client.hpp"
#include "mgr/registry/registry_auth.hpp"
#include "mgr/registry/registry_hosts.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

class RegistryAuthorization;
class RegistrySession;

// An answer whose head has been read, and the connection that its body comes on.
//
// Lifetime: ends before its session. One whose body was not read to the end closes the connection.
class RegistryAnswer {
 public:
  RegistryAnswer(RegistryAnswer&&) noexcept = default;
  RegistryAnswer& operator=(RegistryAnswer&&) noexcept = default;
  ~RegistryAnswer();

  int status() const { return response_.status(); }
  std::string_view header(std::string_view name) const { return response_.header(name); }
  const RegistryUrl& url() const { return url_; }

  // At least one byte, or 0 at the end. Errors: kUnavailable where the body ends early, or stands still for too long.
  task::Task<std::size_t> read(std::span<char> buffer);
  task::Task<std::string> text(std::size_t limit);

 private:
  friend class RegistrySession;
  RegistryAnswer() = default;

  RegistrySession* session_ = nullptr;
  std::unique_ptr<http::Client> client_;
  http::ClientResponse response_;
  RegistryUrl url_;
  bool ended_ = false;
};

struct RegistryRequest {
  std::string method = "GET";
  RegistryUrl url;
  http::HeaderList headers = {};
  std::string body = {};
  http::BodyProducer body_producer = {};  // cannot be sent twice: it goes out with what authorization there is
};

// Answers the registry's challenges (basic, bearer), follows redirects of GET and HEAD, and keeps connections for
// further requests. Authorization goes to the registry's own address only.
//
// Lifetime: ends after its answers.
// Thread:   the worker of the task that made it; several tasks there may use it at once.
// Cancel:   a cancelled request closes its connection.
// Limits:   kAnswerTimeout, and RegistryOptions::stall_seconds between two pieces of a body, also of one that is sent.
// Errors:   kUnavailable where the registry cannot be reached, with the request in front, in Go's form, which Docker's
//           users know: Get "https://host/v2/": ...; kUnauthenticated where it wants other credentials.
class RegistrySession {
 public:
  static constexpr auto kAnswerTimeout = std::chrono::seconds(60);  // for the head, the connection included
  static constexpr int kRedirectsMax = 10;

  // `actions`: "pull", "pull,push"; "" asks for no repository at all.
  RegistrySession(RegistryHosts& hosts, RegistryEndpoint endpoint, std::string repository, std::string actions,
                  RegistryCredentials credentials);
  ~RegistrySession();
  RegistrySession(const RegistrySession&) = delete;
  RegistrySession& operator=(const RegistrySession&) = delete;

  const RegistryEndpoint& endpoint() const { return endpoint_; }
  const std::string& repository() const { return repository_; }
  // Another repository that a token must allow to read, for mounts of blobs across repositories.
  void also_pull_from(std::string repository);

  // The URL of /v2/REPOSITORY/PATH.
  RegistryUrl url(std::string_view path) const;
  RegistryUrl base_url() const;  // of /v2/

  // Sends it, and again after a challenge. Any status but 401 and the redirects is given back.
  task::Task<RegistryAnswer> send(RegistryRequest request);
  task::Task<RegistryAnswer> get(RegistryUrl url, http::HeaderList headers = {});
  task::Task<RegistryAnswer> head(RegistryUrl url, http::HeaderList headers = {});

 private:
  friend class RegistryAnswer;
  struct Idle {
    std::string origin;
    std::unique_ptr<http::Client> client;
  };

  task::Task<RegistryAnswer> send_once(const RegistryRequest& request, const RegistryUrl& url,
                                       std::string authorization);
  task::Task<RegistryAnswer> upload(const RegistryRequest& request, const RegistryUrl& url, std::string authorization);
  std::chrono::seconds stall_timeout() const { return std::chrono::seconds(hosts_.options().stall_seconds); }
  task::Task<RegistryAnswer> exchange(const RegistryRequest& request, const RegistryUrl& url,
                                      std::string authorization);
  task::Task<std::unique_ptr<http::Client>> connection_to(const RegistryUrl& url);
  bool is_own(const RegistryUrl& url) const;

  RegistryHosts& hosts_;
  const RegistryEndpoint endpoint_;
  const std::string repository_;

  // The worker's thread only.
  std::unique_ptr<RegistryAuthorization> authorization_;
  std::vector<Idle> idle_;
};

}  // namespace quoll::mgr
