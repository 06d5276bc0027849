// The values of ARG: what the client gives, what the Dockerfile declares, and what of it one stage sees.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace quoll::mgr {

using ArgumentMap = std::map<std::string, std::optional<std::string>>;

// Docker's rules: what is declared before the first FROM counts in FROM lines, and in a stage that declares it again
// without a value; proxies (HTTP_PROXY and friends) need no declaration.
//
// Lifetime: of one build. Thread: one.
class BuildArguments {
 public:
  // The client's, a name without a value as nothing.
  explicit BuildArguments(ArgumentMap given) : given_(std::move(given)) {}

  // ARG before the first FROM.
  void declare_global(const std::string& name, std::optional<std::string> value);
  void begin_stage() { declared_.clear(); }
  // ARG in a stage.
  void declare(const std::string& name, std::optional<std::string> value);

  // For FROM lines.
  std::optional<std::string> global(const std::string& name) const;
  // In the stage that goes on.
  std::optional<std::string> value(const std::string& name) const;
  // Those that have a value.
  std::map<std::string, std::string> values() const;
  // Whether a step's result depends on it: not for a proxy that is not declared.
  bool counts_for_cache(const std::string& name) const;

  // What the client gave and no ARG declared, sorted.
  std::vector<std::string> unused() const;

 private:
  std::optional<std::string> resolve(const std::string& name, const ArgumentMap& declared) const;

  const ArgumentMap given_;
  ArgumentMap global_;
  ArgumentMap declared_;             // of the stage
  std::set<std::string> mentioned_;  // by any ARG
};

}  // namespace quoll::mgr
