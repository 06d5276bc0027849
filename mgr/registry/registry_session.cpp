#include "mgr/registry/registry_session.hpp"

#include <algorithm>

#include "http/tls.hpp"
#include "mgr/registry/registry_authorization.hpp"
#include "mgr/registry/registry_error.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/this_task.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kIdleMax = 8;
constexpr std::string_view kUserAgent = "quoll/" QUOLL_VERSION;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool may_follow(const std::string& method) { return method == "GET" || method == "HEAD"; }

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
      authorization_(std::make_unique<RegistryAuthorization>(
          repository_, std::move(actions), std::move(credentials), endpoint_.insecure,
          [this](const RegistryRequest& request, std::string authorization) {
            return send_once(request, request.url, std::move(authorization));
          })) {}

RegistrySession::~RegistrySession() = default;

void RegistrySession::also_pull_from(std::string repository) { authorization_->also_pull_from(std::move(repository)); }

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
    const std::string used = is_own(url) ? authorization_->value() : std::string();
    RegistryAnswer answer = co_await send_once(request, url, used);
    if (answer.status() == 401 && is_own(url) && !challenged) {
      co_await authorization_->answer_challenge(request, url, std::move(answer), used);
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
  const std::string name = url.authority();
  const bool insecure = (is_own(url) && endpoint_.insecure) || hosts_.is_insecure(name);
  auto context = co_await task::blocking([&] { return hosts_.tls_context(name, insecure); });
  co_return std::make_unique<http::Client>(http::Client::tls(url.host, url.port, std::move(context), std::move(proxy)));
}

}  // namespace quoll::mgr
