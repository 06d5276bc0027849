// For tests: a registry on loopback, on threads of its own and without anything of http/, that serves images of
// archive_fixture's.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "mgr/image/archive_fixture.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr::fixture {

// Thread: any; add() before the first request.
class LoopbackRegistry {
 public:
  LoopbackRegistry();
  ~LoopbackRegistry();

  // Serves the image as REPOSITORY:1, and returns its reference.
  std::string add(const std::string& repository, const ImageSpec& image);
  // How often content was asked for by GET: "manifests", or a digest.
  int count(const std::string& part) const;

 private:
  void serve();
  void serve_connection(int fd) const;
  std::string answer(const std::string& method, const std::string& path) const;

  UniqueFd listener_;
  std::string name_;
  std::map<std::string, std::string> content_;  // by the URL's path
  std::atomic<bool> closing_ = false;
  mutable std::mutex mutex_;
  mutable std::vector<std::string> asked_;  // guarded by mutex_
  std::map<int, UniqueFd> open_;            // guarded by mutex_
  std::vector<std::jthread> connections_;   // serve()'s
  std::jthread thread_;
};

}  // namespace quoll::mgr::fixture
