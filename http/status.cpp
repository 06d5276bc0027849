#include "http/status.hpp"

namespace quoll::http {
namespace {

int status_of_class(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kInvalidArgument:
      return 400;
    case ErrorClass::kNotFound:
      return 404;
    case ErrorClass::kAlreadyExists:
    case ErrorClass::kConflict:
      return 409;
    case ErrorClass::kNotModified:
      return 304;
    case ErrorClass::kPermissionDenied:
      return 403;
    case ErrorClass::kUnauthenticated:
      return 401;
    case ErrorClass::kUnavailable:
      return 503;
    case ErrorClass::kNotImplemented:
      return 501;
    case ErrorClass::kDeadlineExceeded:
      return 504;
    case ErrorClass::kFailedPrecondition:
    case ErrorClass::kResourceExhausted:
    case ErrorClass::kCancelled:
    case ErrorClass::kInternal:
      return 500;
  }
  return 500;
}

}  // namespace

ErrorClass class_of(int status) {
  switch (status) {
    case 304:
      return ErrorClass::kNotModified;
    case 401:
      return ErrorClass::kUnauthenticated;
    case 403:
      return ErrorClass::kPermissionDenied;
    case 404:
      return ErrorClass::kNotFound;
    case 408:
      return ErrorClass::kDeadlineExceeded;
    case 409:
      return ErrorClass::kConflict;
    case 413:
    case 429:
    case 431:
      return ErrorClass::kResourceExhausted;
    case 501:
    case 505:
      return ErrorClass::kNotImplemented;
    case 503:
      return ErrorClass::kUnavailable;
    default:
      return status < 500 ? ErrorClass::kInvalidArgument : ErrorClass::kInternal;
  }
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "UPGRADED";  // the word that Docker's daemon sends
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Request Entity Too Large";
    case 416:
      return "Requested Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

StatusError::StatusError(int status, std::string message)
    : Error(class_of(status), std::move(message)), status_(status) {}

int status_of(const Error& error) {
  const auto* const own = dynamic_cast<const StatusError*>(&error);
  return own != nullptr ? own->status() : status_of_class(error.error_class());
}

int status_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return status_of(error);
  } catch (...) {
    return 500;
  }
}

std::string message_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error.message();
  } catch (...) {
    return "internal error";
  }
}

}  // namespace quoll::http
