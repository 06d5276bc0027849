// The files of debug/page, as they are in the binary.
#pragma once

#include <string_view>

namespace quoll::debug {

extern const std::string_view kPageHtml;  // with {{match}}, {{state}}, {{min_wait}}, {{summary}} and {{rows}} to fill
extern const std::string_view kPageStyle;
extern const std::string_view kPageScript;

}  // namespace quoll::debug
