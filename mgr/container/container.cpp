#include "mgr/container/container.hpp"

#include <fcntl.h>
#include <sys/syscall.h>

#include <cerrno>

#include "mgr/runtime/monitor.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

std::shared_ptr<LogHub> make_log(const ContainerConfig& config, const ContainerPaths& paths) {
  if (config.host.log.driver == "none") return nullptr;
  const LogLimits limits{config.host.log.max_size, static_cast<unsigned>(config.host.log.max_files)};
  return std::make_shared<LogHub>(paths.log_directory(), limits,
                                  [bundle = paths.bundle] { request_of_monitor(bundle, kReopenLogRequest); });
}

void tell(std::vector<task::Sender<WaitResult>>& waiters, const WaitResult& result) {
  for (const auto& waiter : waiters) {
    WaitResult copy = result;
    waiter.try_send(copy);
  }
  waiters.clear();
}

}  // namespace

Container::Container(std::string id, std::string name, std::int64_t created_ns, std::string image_id,
                     ContainerConfig config, ContainerState state, ContainerPaths paths)
    : id_(std::move(id)),
      created_ns_(created_ns),
      image_id_(std::move(image_id)),
      paths_(std::move(paths)),
      log_(make_log(config, paths_)),
      name_(std::move(name)),
      config_(std::make_shared<const ContainerConfig>(std::move(config))),
      state_(std::move(state)) {
  cleaned_up_.set();
}

ContainerSnapshot Container::snapshot() const {
  std::lock_guard lock(mutex_);
  return {id_, name_, created_ns_, image_id_, config_, state_, log_ ? paths_.log_file() : "", health_};
}

std::shared_ptr<const ContainerConfig> Container::config() const {
  std::lock_guard lock(mutex_);
  return config_;
}

std::string Container::name() const {
  std::lock_guard lock(mutex_);
  return name_;
}

std::shared_ptr<const Health> Container::health() const {
  std::lock_guard lock(mutex_);
  return health_;
}

void Container::set_health(Health health) {
  auto shared = std::make_shared<const Health>(std::move(health));
  std::lock_guard lock(mutex_);
  health_ = std::move(shared);
}

void Container::rename(std::string name) {
  std::lock_guard lock(mutex_);
  name_ = std::move(name);
}

void Container::set_config(ContainerConfig config) {
  auto shared = std::make_shared<const ContainerConfig>(std::move(config));
  std::lock_guard lock(mutex_);
  config_ = std::move(shared);
}

ContainerState Container::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void Container::set_init_process(UniqueFd process) {
  std::lock_guard lock(mutex_);
  init_process_ = std::move(process);
}

UniqueFd Container::init_process() const {
  std::lock_guard lock(mutex_);
  return UniqueFd(init_process_ ? ::fcntl(init_process_.get(), F_DUPFD_CLOEXEC, 0) : -1);
}

void Container::signal(int number) {
  std::lock_guard lock(mutex_);
  if (!can_kill(state_.status) || !init_process_) {
    throw Error(ErrorClass::kConflict, "container " + id_ + " is not running");
  }
  if (::syscall(SYS_pidfd_send_signal, init_process_.get(), number, nullptr, 0) == 0 || errno == ESRCH) return;
  throw system_error(errno, "signal container " + id_);
}

Container::Waiter Container::wait(WaitCondition condition) {
  Waiter waiter;
  std::lock_guard lock(mutex_);
  const bool known = condition == WaitCondition::kRemoved
                         ? removed_
                         : condition == WaitCondition::kNotRunning && !is_running(state_.status);
  if (known) {
    waiter.known_ = WaitResult{state_.exit_code, removed_ ? "" : state_.error};
    return waiter;
  }
  auto [sender, receiver] = task::make_channel<WaitResult>(1);
  waiter.receiver_ = std::move(receiver);
  auto& waiters = condition == WaitCondition::kRemoved ? removal_waiters_ : exit_waiters_;
  std::erase_if(waiters, [](const auto& other) { return other.closed(); });
  waiters.push_back(std::move(sender));
  return waiter;
}

task::Task<WaitResult> Container::Waiter::result() {
  if (known_) co_return *known_;
  std::optional<WaitResult> result = co_await receiver_.receive();
  if (!result) throw Error(ErrorClass::kUnavailable, "the daemon no longer watches the container");
  co_return std::move(*result);
}

Container::PendingAttach Container::attach(std::uint8_t flags) {
  PendingAttach attach;
  std::lock_guard lock(mutex_);
  if (streams_open_) {
    attach.socket_ = connect_to_monitor(paths_.bundle, flags);
    return attach;
  }
  auto [sender, receiver] = task::make_channel<UniqueFd>(1);
  attach.receiver_ = std::move(receiver);
  std::erase_if(attach_waiters_, [](const AttachWaiter& other) { return other.sender.closed(); });
  attach_waiters_.push_back({std::move(sender), flags});
  return attach;
}

task::Task<UniqueFd> Container::PendingAttach::socket() {
  if (socket_) co_return std::move(socket_);
  std::optional<UniqueFd> socket = co_await receiver_.receive();
  if (!socket) co_return UniqueFd();
  co_return std::move(*socket);
}

void Container::open_streams() {
  std::lock_guard lock(mutex_);
  streams_open_ = true;
  for (const AttachWaiter& waiter : attach_waiters_) {
    if (waiter.sender.closed()) continue;
    UniqueFd socket = connect_to_monitor(paths_.bundle, waiter.flags);
    waiter.sender.try_send(socket);
  }
  attach_waiters_.clear();
}

void Container::close_streams() {
  std::lock_guard lock(mutex_);
  streams_open_ = false;
}

void Container::tell_exited(int exit_code) {
  std::lock_guard lock(mutex_);
  tell(exit_waiters_, {exit_code, state_.error});
}

void Container::drop_waiters() {
  std::lock_guard lock(mutex_);
  attach_waiters_.clear();
  exit_waiters_.clear();
  removal_waiters_.clear();
}

bool Container::removed() const {
  std::lock_guard lock(mutex_);
  return removed_;
}

void Container::tell_removed() {
  std::lock_guard lock(mutex_);
  attach_waiters_.clear();
  removed_ = true;
  // Who waits for an exit that cannot come any more is answered too.
  tell(exit_waiters_, {state_.exit_code, ""});
  tell(removal_waiters_, {state_.exit_code, ""});
}

}  // namespace quoll::mgr
