#include "task/error.hpp"

#include <cerrno>
#include <system_error>

namespace quoll {

std::string_view to_string(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kInvalidArgument:
      return "invalid_argument";
    case ErrorClass::kNotFound:
      return "not_found";
    case ErrorClass::kAlreadyExists:
      return "already_exists";
    case ErrorClass::kConflict:
      return "conflict";
    case ErrorClass::kNotModified:
      return "not_modified";
    case ErrorClass::kPermissionDenied:
      return "permission_denied";
    case ErrorClass::kUnauthenticated:
      return "unauthenticated";
    case ErrorClass::kFailedPrecondition:
      return "failed_precondition";
    case ErrorClass::kResourceExhausted:
      return "resource_exhausted";
    case ErrorClass::kUnavailable:
      return "unavailable";
    case ErrorClass::kNotImplemented:
      return "not_implemented";
    case ErrorClass::kCancelled:
      return "cancelled";
    case ErrorClass::kDeadlineExceeded:
      return "deadline_exceeded";
    case ErrorClass::kInternal:
      return "internal";
  }
  return "internal";
}

Error system_error(int errno_value, std::string_view what) {
  ErrorClass error_class = ErrorClass::kInternal;
  if (errno_value == ENOSPC || errno_value == EDQUOT) error_class = ErrorClass::kResourceExhausted;
  if (errno_value == EACCES || errno_value == EPERM) error_class = ErrorClass::kPermissionDenied;
  if (errno_value == ENOENT) error_class = ErrorClass::kNotFound;
  return Error(error_class, std::string(what) + ": " + std::generic_category().message(errno_value));
}

}  // namespace quoll
