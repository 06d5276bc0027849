#include "api/numbers.hpp"

namespace quoll::api {

unsigned required_size(const http::Request& request, std::string_view name) {
  const std::string text = request.query(name).value_or("");
  if (const auto size = whole_number<unsigned short>(text)) return *size;
  throw Error(ErrorClass::kInvalidArgument, "invalid size \"" + text + "\" for " + std::string(name));
}

}  // namespace quoll::api
