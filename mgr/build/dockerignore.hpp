// .dockerignore: which files of a context a build does not see.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/build/path_pattern.hpp"

namespace quoll::mgr {

// Patterns as Docker has them: `!` for exceptions; the last match decides. A pattern that fits a directory fits all in
// it.
class DockerIgnore {
 public:
  // Errors: kInvalidArgument for a malformed pattern.
  explicit DockerIgnore(std::string_view text);

  bool empty() const { return rules_.empty(); }
  // `path` is relative and clean. Errors: kCancelled once `stop` is requested: hostile rules may take long.
  bool ignores(std::string_view path, const std::stop_token& stop = {}) const;
  // Whether an exception could fit something below an ignored directory.
  bool has_exceptions() const { return has_exceptions_; }

 private:
  struct Rule {
    PathPattern pattern;
    bool exception = false;
  };
  std::vector<Rule> rules_;
  bool has_exceptions_ = false;
};

}  // namespace quoll::mgr
