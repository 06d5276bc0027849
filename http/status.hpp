// Status codes: their reason phrases, and which one an error's class becomes.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "task/error.hpp"

namespace quoll::http {

std::string_view reason_phrase(int status);

// What an answer with such a status is to who has asked.
ErrorClass class_of(int status);

// An Error that says its status itself: for what has no class of its own (408, 413, 431), or for a status that an API
// prescribes. Its class is the nearest one.
class StatusError : public Error {
 public:
  StatusError(int status, std::string message);
  int status() const { return status_; }

 private:
  int status_;
};

// StatusError: its own; Error: by its class, as Docker's daemon answers; anything else: 500.
int status_of(const Error& error);
int status_of(const std::exception_ptr& failure);
// The text for the client. What is no Error is our bug: its text stays in the log, and the client reads
// "internal error".
std::string message_of(const std::exception_ptr& failure);

}  // namespace quoll::http
