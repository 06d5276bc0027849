#include "mgr/registry/registry_session.hpp"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "http/tls.hpp"
#include "http/uri.hpp"
#include "mgr/image/image.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/this_task.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::size_t kErrorBodyMax = 64 * 1024;
constexpr std::size_t kTokenMax = 1024 * 1024;
constexpr std::size_t kIdleMax = 8;
constexpr std::string_view kUserAgent = "quoll/" QUOLL_VERSION;

// "Get", as Go's client names its requests in errors.
std::string request_name(const std::string& method, const RegistryUrl& url) {
  std::string name = method;
  for (std::size_t i = 1; i < name.size(); ++i) {
    name[i] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  return name + " \"" + url.text() + "\"";
}

// "connect to h:1: Connection refused" as Go says it, which is what scripts look for.
std::string go_words(std::string message) {
  constexpr std::string_view kConnect = "connect to ";
  if (message.starts_with(kConnect)) {
    const std::size_t reason = message.rfind(": ");
    if (reason != message.npos && reason + 2 < message.size()) {
      message[reason + 2] = static_cast<char>(std::tolower(static_cast<unsigned char>(message[reason + 2])));
      message.insert(reason + 2, "connect: ");
    }
    message.replace(0, kConnect.size(), "dial tcp ");
  }
  return message;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool may_follow(const std::string& method) { return method == "GET" || method == "HEAD"; }

std::string host_and_port(const RegistryUrl& url) {
  const std::string origin = url.origin();
  return origin.substr(origin.find("//") + 2);
}

}  // namespace

RegistryAnswer::~RegistryAnswer() {
  if (session_ == nullptr || !client_ || !ended_ || session_->idle_.size() >= kIdleMax) return;
  session_->idle_.push_back({url_.origin(), std::move(client_)});
}

task::Task<std::size_t> RegistryAnswer::read(std::span<char> buffer) {
  std::size_t count = 0;
  try {
    count = co_await task::with_deadline(session_->stall_timeout(), response_.read_body(buffer));
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kDeadlineExceeded) throw;
    throw Error(ErrorClass::kUnavailable, "the registry sends nothing any more");
  }
  ended_ = count == 0;
  co_return count;
}

task::Task<std::string> RegistryAnswer::text(std::size_t limit) {
  std::string body;
  std::string piece(16 * 1024, '\0');
  while (const std::size_t count = co_await read(piece)) {
    if (count > limit - body.size()) {
      throw Error(ErrorClass::kResourceExhausted,
                  url_.text() + ": the answer is larger than " + std::to_string(limit) + " bytes");
    }
    body.append(piece, 0, count);
  }
  co_return body;
}

RegistrySession::RegistrySession(RegistryHosts& hosts, RegistryEndpoint endpoint, std::string repository,
                                 std::string actions, RegistryCredentials credentials)
    : hosts_(hosts),
      endpoint_(std::move(endpoint)),
      repository_(std::move(repository)),
      actions_(std::move(actions)),
      credentials_(std::move(credentials)) {
  if (!credentials_.registry_token.empty()) authorization_ = "Bearer " + credentials_.registry_token;
}

RegistrySession::~RegistrySession() = default;

void RegistrySession::also_pull_from(std::string repository) {
  if (std::ranges::find(more_repositories_, repository) != more_repositories_.end()) return;
  more_repositories_.push_back(std::move(repository));
  if (credentials_.registry_token.empty()) authorization_.clear();  // the token at hand does not cover it
}

RegistryUrl RegistrySession::base_url() const {
  RegistryUrl url = endpoint_.base;
  url.target += "v2/";
  return url;
}

RegistryUrl RegistrySession::url(std::string_view path) const {
  RegistryUrl url = base_url();
  url.target += repository_ + "/" + std::string(path);
  return url;
}

bool RegistrySession::is_own(const RegistryUrl& url) const { return url.origin() == endpoint_.base.origin(); }

task::Task<RegistryAnswer> RegistrySession::get(RegistryUrl url, http::HeaderList headers) {
  return send({.method = "GET", .url = std::move(url), .headers = std::move(headers)});
}

task::Task<RegistryAnswer> RegistrySession::head(RegistryUrl url, http::HeaderList headers) {
  return send({.method = "HEAD", .url = std::move(url), .headers = std::move(headers)});
}

task::Task<RegistryAnswer> RegistrySession::send(RegistryRequest request) {
  RegistryUrl url = request.url;
  int redirects = 0;
  bool challenged = false;
  while (true) {
    const std::string used = is_own(url) ? authorization_ : std::string();
    RegistryAnswer answer = co_await send_once(request, url, used);
    if (answer.status() == 401 && is_own(url) && !challenged) {
      co_await answer_challenge(request, url, std::move(answer), used);
      challenged = true;
      if (request.body_producer) throw Error(ErrorClass::kUnauthenticated, "unauthorized: authentication required");
      continue;
    }
    if (!is_redirect(answer.status()) || !may_follow(request.method)) co_return answer;
    if (++redirects > kRedirectsMax) {
      throw Error(ErrorClass::kUnavailable, request_name(request.method, url) + ": stopped after 10 redirects");
    }
    const auto next = url.resolve(answer.header("Location"));
    if (!next) throw Error(ErrorClass::kUnavailable, request_name(request.method, url) + ": malformed Location");
    if (url.tls && !next->tls && !endpoint_.insecure) {
      throw Error(ErrorClass::kUnavailable,
                  request_name(request.method, url) + ": refused to be redirected from https to " + next->origin());
    }
    url = *next;
  }
}

// The same, but with the request's name in front of what goes wrong.
task::Task<RegistryAnswer> RegistrySession::send_once(const RegistryRequest& request, const RegistryUrl& url,
                                                      std::string authorization) {
  try {
    if (request.body_producer) co_return co_await upload(request, url, std::move(authorization));
    co_return co_await task::with_deadline(kAnswerTimeout, exchange(request, url, std::move(authorization)));
  } catch (const Error& error) {
    if (error.error_class() == ErrorClass::kDeadlineExceeded) {
      throw Error(ErrorClass::kUnavailable,
                  request_name(request.method, url) + ": the registry did not answer within 60 seconds");
    }
    if (error.error_class() != ErrorClass::kUnavailable) throw;
    throw Error(ErrorClass::kUnavailable, request_name(request.method, url) + ": " + go_words(error.message()));
  }
}

namespace {

// Asked for the next piece, the one before has gone.
task::Task<std::size_t> next_piece(const http::BodyProducer* producer, std::span<char> buffer,
                                   std::chrono::seconds stall_timeout, task::DeadlineScope* standstill) {
  standstill->renew(stall_timeout);
  const std::size_t count = co_await (*producer)(buffer);
  if (count == 0) standstill->renew(RegistrySession::kAnswerTimeout);
  co_return count;
}

}  // namespace

// No bound on the whole: as long as the registry takes one piece after the other, it may take its time.
task::Task<RegistryAnswer> RegistrySession::upload(const RegistryRequest& request, const RegistryUrl& url,
                                                   std::string authorization) {
  task::DeadlineScope standstill(kAnswerTimeout);
  RegistryRequest watched = request;
  watched.body_producer = [&](std::span<char> buffer) {
    return next_piece(&request.body_producer, buffer, stall_timeout(), &standstill);
  };
  try {
    co_return co_await exchange(watched, url, std::move(authorization));
  } catch (const task::Cancelled&) {
    if (!standstill.expired()) throw;
  }
  throw Error(ErrorClass::kUnavailable, "the registry takes nothing any more");
}

task::Task<RegistryAnswer> RegistrySession::exchange(const RegistryRequest& request, const RegistryUrl& url,
                                                     std::string authorization) {
  RegistryAnswer answer;
  answer.client_ = co_await connection_to(url);
  answer.url_ = url;
  http::ClientRequest sent;
  sent.method = request.method;
  sent.target = url.target;
  sent.headers = request.headers;
  sent.headers.emplace_back("User-Agent", kUserAgent);
  if (!authorization.empty()) sent.headers.emplace_back("Authorization", std::move(authorization));
  sent.body = request.body;
  sent.body_producer = request.body_producer;
  answer.response_ = co_await answer.client_->request(std::move(sent));
  answer.session_ = this;
  co_return answer;
}

task::Task<std::unique_ptr<http::Client>> RegistrySession::connection_to(const RegistryUrl& url) {
  const std::string origin = url.origin();
  const auto found = std::ranges::find(idle_, origin, &Idle::origin);
  if (found != idle_.end()) {
    auto client = std::move(found->client);
    idle_.erase(found);
    co_return client;
  }
  auto proxy = hosts_.options().proxies.proxy_for(url);
  if (!url.tls) co_return std::make_unique<http::Client>(http::Client::tcp(url.host, url.port, std::move(proxy)));
  const std::string name = host_and_port(url);
  const bool insecure = (is_own(url) && endpoint_.insecure) || hosts_.is_insecure(name);
  auto context = co_await task::blocking([&] { return hosts_.tls_context(name, insecure); });
  co_return std::make_unique<http::Client>(http::Client::tls(url.host, url.port, std::move(context), std::move(proxy)));
}

// --- Authorization ---------------------------------------------------------------------------------------------------

// Leaves in authorization_ what the registry asks for, or throws what its answer says.
task::Task<void> RegistrySession::answer_challenge(const RegistryRequest& request, const RegistryUrl& url,
                                                   RegistryAnswer answer, std::string used) {
  const auto challenge = parse_challenge(answer.header("WWW-Authenticate"));
  const auto guard = co_await challenge_mutex_.lock();
  if (authorization_ != used) co_return;  // another task has been faster
  if (challenge && challenge->scheme == "bearer" && credentials_.registry_token.empty()) {
    authorization_ = "Bearer " + co_await fetch_token(*challenge, url);
    co_return;
  }
  if (challenge && challenge->scheme == "basic") {
    if (credentials_.username.empty()) {
      throw Error(ErrorClass::kUnauthenticated, request_name(request.method, url) + ": no basic auth credentials");
    }
    const std::string basic = basic_authorization(credentials_);
    if (basic != used) {
      authorization_ = basic;
      co_return;
    }
  }
  const Error error = co_await registry_error(std::move(answer));
  throw Error(error.error_class(), request_name(request.method, url) + ": " + error.message());
}

std::string RegistrySession::scopes_query() const {
  std::string query;
  if (!actions_.empty()) {
    query += "&scope=" + http::percent_encode("repository:" + repository_ + ":" + actions_);
  }
  for (const std::string& repository : more_repositories_) {
    query += "&scope=" + http::percent_encode("repository:" + repository + ":pull");
  }
  return query;
}

task::Task<std::string> RegistrySession::fetch_token(AuthChallenge challenge, RegistryUrl for_url) {
  const auto realm = for_url.resolve(challenge.parameter("realm"));
  if (!realm || challenge.parameter("realm").empty()) {
    throw Error(ErrorClass::kUnavailable, for_url.origin() + ": the registry's challenge names no token server");
  }
  // A password goes through no weaker connection than the registry's own.
  if (for_url.tls && !realm->tls && !endpoint_.insecure) {
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
  RegistryAnswer answer = co_await send_once(request, request.url, std::move(authorization));
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

// --- Errors ----------------------------------------------------------------------------------------------------------

namespace {

ErrorClass class_of(int status) {
  switch (status) {
    case 400:
      return ErrorClass::kInvalidArgument;
    case 401:
      return ErrorClass::kUnauthenticated;
    case 403:
      return ErrorClass::kPermissionDenied;
    case 404:
      return ErrorClass::kNotFound;
    case 429:
    case 502:
    case 503:
    case 504:
      return ErrorClass::kUnavailable;
    default:
      return status >= 500 ? ErrorClass::kUnavailable : ErrorClass::kInternal;
  }
}

// "code: message" of each entry, where the code is written in words: "manifest unknown: manifest unknown".
std::string message_in(const json& body) {
  std::string text;
  const auto errors = body.is_object() ? body.find("errors") : body.end();
  if (!body.is_object() || errors == body.end() || !errors->is_array()) return json_string(body, "message");
  for (const json& entry : *errors) {
    std::string code = json_string(entry, "code");
    std::ranges::transform(code, code.begin(), [](char c) {
      return c == '_' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    const std::string message = json_string(entry, "message");
    if (!text.empty()) text += "\n";
    text += code + (message.empty() ? "" : ": " + message);
  }
  return text;
}

}  // namespace

task::Task<Error> registry_error(RegistryAnswer answer) {
  const int status = answer.status();
  std::string message;
  try {
    const std::string body = co_await answer.text(kErrorBodyMax);
    message = message_in(json::parse(body, nullptr, false));
  } catch (const Error&) {
    // The status says enough.
  }
  if (message.empty() && status == 401) message = "unauthorized: authentication required";
  if (message.empty() && status == 404) message = "not found";
  if (message.empty()) message = "received unexpected HTTP status: " + std::to_string(status);
  co_return Error(class_of(status), std::move(message));
}

}  // namespace quoll::mgr
