// One exec: a further process in a running container.
#pragma once

#include <cstdint>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mgr/container/container.hpp"
#include "task/event.hpp"

namespace quoll::mgr {

// Fixed once the exec is created.
struct ExecConfig {
  std::vector<std::string> command;  // required
  std::vector<std::string> env;      // over the container's
  std::string user;                  // empty: the container's
  std::string working_dir;           // empty: the container's
  std::string detach_keys;
  bool tty = false;
  bool attach_stdin = false, attach_stdout = false, attach_stderr = false;
  bool privileged = false;
  std::pair<unsigned, unsigned> console_size{0, 0};  // rows, columns; 0: the terminal's own
};

// The body of POST /containers/{id}/exec.
//
// Errors: kInvalidArgument in Docker's words, naming the field.
ExecConfig parse_exec_config(const nlohmann::json& body);

struct ExecState {
  bool started = false;  // once, whatever came of it
  bool running = false;
  int pid = 0;
  std::optional<int> exit_code;
  std::int64_t ended_ns = 0;
};

// Lifetime: shared by the manager's index and by requests.
// Thread:   any.
class Exec {
 public:
  Exec(std::string id, std::shared_ptr<Container> container, ExecConfig config)
      : id_(std::move(id)), container_(std::move(container)), config_(std::move(config)) {}

  const std::string& id() const { return id_; }
  const std::shared_ptr<Container>& container() const { return container_; }
  const ExecConfig& config() const { return config_; }

  // Set once it has its exit code.
  task::Event& ended() { return ended_; }

  ExecState state() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }
  template <typename F>
  ExecState update_state(F change) {
    const std::lock_guard lock(mutex_);
    change(state_);
    return state_;
  }

 private:
  const std::string id_;
  const std::shared_ptr<Container> container_;
  const ExecConfig config_;

  task::Event ended_;

  mutable std::mutex mutex_;
  ExecState state_;  // guarded by mutex_
};

}  // namespace quoll::mgr
