// The one exception type for what ends a request, and the class that says what its caller can do about it.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace quoll {

enum class ErrorClass {
  kInvalidArgument,
  kNotFound,
  kAlreadyExists,
  kConflict,
  kNotModified,
  kPermissionDenied,
  kUnauthenticated,
  kFailedPrecondition,
  kResourceExhausted,
  kUnavailable,
  kNotImplemented,
  kCancelled,
  kDeadlineExceeded,
  kInternal,
};

std::string_view to_string(ErrorClass error_class);

// Messages are lower case without a full stop and name the object: "container 4f2a: start: no such image".
// Where Docker's clients match on a message, it is Docker's.
class Error : public std::exception {
 public:
  Error(ErrorClass error_class, std::string message) : class_(error_class), message_(std::move(message)) {}

  ErrorClass error_class() const { return class_; }
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorClass class_;
  std::string message_;
};

// An Error of class kInternal that carries strerror(errno_value) behind `what`; ENOSPC and EDQUOT become
// kResourceExhausted, EACCES and EPERM kPermissionDenied, ENOENT kNotFound.
Error system_error(int errno_value, std::string_view what);

}  // namespace quoll
