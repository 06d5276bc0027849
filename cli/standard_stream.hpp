// Standard input and output as tasks use them: Ctrl-C must end quoll also while the other end of a pipe stands still.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "task/fd.hpp"
#include "task/task.hpp"
#include "task/unique_fd.hpp"

namespace quoll::cli {

// Nobody reads what quoll writes any more. No error: quoll ends without a word, as `yes | head` does.
class OutputClosed {};

// A pipe or a terminal is opened a second time, for this process alone: to make the inherited descriptor non-blocking
// would make it so for the shell and everybody else who has it. What cannot be opened again is written to as it is.
//
// Lifetime: the descriptor outlives it.
// Thread:   the worker it was made on.
// Errors:   OutputClosed; Error of system_error() for all else.
class Output {
 public:
  // REQUIRES: called from a task.
  explicit Output(int descriptor);
  ~Output();

  task::Task<void> write(std::string_view bytes);
  // Of a terminal; nothing for all else.
  struct ScreenSize {
    std::size_t rows;
    std::size_t columns;
  };
  std::optional<ScreenSize> screen() const;
  // Returns once nobody can read a pipe any more; never for what is no pipe.
  task::Task<void> reader_gone();

 private:
  const int descriptor_;
  std::unique_ptr<task::AsyncFd> waiting_;  // null: written to as it is
};

// Lifetime: owns the descriptor that it is given.
class Input {
 public:
  // REQUIRES: called from a task.
  explicit Input(UniqueFd descriptor);
  ~Input();

  // At least one byte, or 0 at the end.
  task::Task<std::size_t> read(std::span<char> buffer);

 private:
  UniqueFd descriptor_;
  std::unique_ptr<task::AsyncFd> waiting_;
};

}  // namespace quoll::cli
