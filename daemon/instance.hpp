// What makes a daemon the only one on its directories, and tells others which process it is.
#pragma once

#include <string>

#include "task/unique_fd.hpp"

namespace quoll::daemon {

// Makes the directory, with its parents, and locks it for as long as the descriptor is open.
//
// Errors: kUnavailable where another daemon has it.
UniqueFd lock_directory(const std::string& path);

// Writes the process's id. Its destructor removes the file.
//
// Errors: kUnavailable where the file names a process that lives.
class PidFile {
 public:
  explicit PidFile(std::string path);
  ~PidFile();
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

 private:
  const std::string path_;
};

// A name for this installation, made once and kept in `root`.
std::string installation_id(const std::string& root);

// The soft limit on open files becomes the hard one.
void raise_descriptor_limit();

}  // namespace quoll::daemon
