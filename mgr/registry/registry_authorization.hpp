// RegistryAuthorization: what requests to a registry carry to be let in, as it asks for it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mgr/registry/registry_auth.hpp"
#include "mgr/registry/registry_session.hpp"
#include "task/mutex.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// Basic authorization, or tokens of the server that the registry names, for one repository and those that are mounted
// from.
//
// Lifetime: of one session.
// Thread:   the session's; several tasks there may use it at once.
class RegistryAuthorization {
 public:
  // Sends a request, to a token server, once and with this authorization.
  using Sender = std::function<task::Task<RegistryAnswer>(const RegistryRequest& request, std::string authorization)>;

  // `insecure`: its token server may be one without TLS.
  RegistryAuthorization(std::string repository, std::string actions, RegistryCredentials credentials, bool insecure,
                        Sender ask);

  // Of the header; empty: none.
  const std::string& value() const { return value_; }

  // See RegistrySession.
  void also_pull_from(std::string repository);

  // Leaves in value() what the registry asks for in its answer to a request that carried `used`.
  //
  // Errors: kUnauthenticated, or what the answer says, where there are no other credentials to be tried.
  task::Task<void> answer_challenge(const RegistryRequest& request, const RegistryUrl& url, RegistryAnswer answer,
                                    std::string used);

 private:
  task::Task<std::string> fetch_token(AuthChallenge challenge, RegistryUrl for_url);
  std::string scopes_query() const;

  const std::string repository_;
  const std::string actions_;
  const RegistryCredentials credentials_;
  const bool insecure_;
  const Sender ask_;
  std::vector<std::string> more_repositories_;
  std::string value_;
  task::Mutex challenge_mutex_;  // one asks for a token, the others wait for it
};

}  // namespace quoll::mgr
