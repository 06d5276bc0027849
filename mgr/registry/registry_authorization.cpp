#include "mgr/registry/registry_authorization.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "http/uri.hpp"
#include "mgr/image/image.hpp"
#include "mgr/registry/registry_error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::size_t kTokenMax = 1024 * 1024;

}  // namespace

RegistryAuthorization::RegistryAuthorization(std::string repository, std::string actions,
                                             RegistryCredentials credentials, bool insecure, Sender ask)
    : repository_(std::move(repository)),
      actions_(std::move(actions)),
      credentials_(std::move(credentials)),
      insecure_(insecure),
      ask_(std::move(ask)) {
  if (!credentials_.registry_token.empty()) value_ = "Bearer " + credentials_.registry_token;
}

void RegistryAuthorization::also_pull_from(std::string repository) {
  if (std::ranges::find(more_repositories_, repository) != more_repositories_.end()) return;
  more_repositories_.push_back(std::move(repository));
  if (credentials_.registry_token.empty()) value_.clear();  // the token at hand does not cover it
}

task::Task<void> RegistryAuthorization::answer_challenge(const RegistryRequest& request, const RegistryUrl& url,
                                                         RegistryAnswer answer, std::string used) {
  const auto challenge = parse_challenge(answer.header("WWW-Authenticate"));
  const auto guard = co_await challenge_mutex_.lock();
  if (value_ != used) co_return;  // another task has been faster
  if (challenge && challenge->scheme == "bearer" && credentials_.registry_token.empty()) {
    value_ = "Bearer " + co_await fetch_token(*challenge, url);
    co_return;
  }
  if (challenge && challenge->scheme == "basic") {
    if (credentials_.username.empty()) {
      throw Error(ErrorClass::kUnauthenticated, request_name(request.method, url) + ": no basic auth credentials");
    }
    const std::string basic = basic_authorization(credentials_);
    if (basic != used) {
      value_ = basic;
      co_return;
    }
  }
  const Error error = co_await registry_error(std::move(answer));
  throw Error(error.error_class(), request_name(request.method, url) + ": " + error.message());
}

std::string RegistryAuthorization::scopes_query() const {
  std::string query;
  if (!actions_.empty()) {
    query += "&scope=" + http::percent_encode("repository:" + repository_ + ":" + actions_);
  }
  for (const std::string& repository : more_repositories_) {
    query += "&scope=" + http::percent_encode("repository:" + repository + ":pull");
  }
  return query;
}

task::Task<std::string> RegistryAuthorization::fetch_token(AuthChallenge challenge, RegistryUrl for_url) {
  const auto realm = for_url.resolve(challenge.parameter("realm"));
  if (!realm || challenge.parameter("realm").empty()) {
    throw Error(ErrorClass::kUnavailable, for_url.origin() + ": the registry's challenge names no token server");
  }
  // A password goes through no weaker connection than the registry's own.
  if (for_url.tls && !realm->tls && !insecure_) {
    throw Error(ErrorClass::kUnavailable, realm->origin() + ": refused to send credentials without TLS");
  }
  const std::string service = "service=" + http::percent_encode(challenge.parameter("service"));
  RegistryRequest request{.url = *realm};
  std::string authorization;
  if (!credentials_.identity_token.empty()) {
    request.method = "POST";
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    request.body = "grant_type=refresh_token&client_id=quoll&" + service + scopes_query() +
                   "&refresh_token=" + http::percent_encode(credentials_.identity_token);
  } else {
    request.url.target += (request.url.target.find('?') == std::string::npos ? "?" : "&") + service + scopes_query();
    if (!credentials_.username.empty()) {
      request.url.target += "&account=" + http::percent_encode(credentials_.username);
      authorization = basic_authorization(credentials_);
    }
  }
  RegistryAnswer answer = co_await ask_(request, std::move(authorization));
  if (answer.status() != 200) {
    const Error error = co_await registry_error(std::move(answer));
    throw Error(error.error_class(), request_name(request.method, *realm) + ": " + error.message());
  }
  const json body = parse_untrusted_json(co_await answer.text(kTokenMax), "token");
  std::string token = json_string(body, "token");
  if (token.empty()) token = json_string(body, "access_token");
  if (token.empty())
    throw Error(ErrorClass::kUnavailable,
                realm->origin() + ": authorization server did not include a token in the response");
  co_return token;
}

}  // namespace quoll::mgr
