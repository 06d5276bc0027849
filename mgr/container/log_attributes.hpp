// The attributes of a container's log lines that its log options ask for, as `logs --details` shows them.
#pragma once

#include <string>

#include "mgr/container/container.hpp"

namespace quoll::mgr {

// "key=value,key=value " with the characters escaped that URLs escape; a space alone where there is none. From the
// options `labels`, `labels-regex`, `env`, `env-regex` and `tag`, as the container is called now.
std::string log_attributes(const Container& container);

}  // namespace quoll::mgr
