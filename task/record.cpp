#include "task/record.hpp"

namespace quoll::task {

std::string_view to_string(TaskState state) {
  switch (state) {
    case TaskState::kIdle:
      return "idle";
    case TaskState::kRunnable:
      return "runnable";
    case TaskState::kRunning:
      return "running";
    case TaskState::kIoWait:
      return "IO wait";
    case TaskState::kSleep:
      return "sleep";
    case TaskState::kChanReceive:
      return "chan receive";
    case TaskState::kChanSend:
      return "chan send";
    case TaskState::kSelect:
      return "select";
    case TaskState::kSelectNoCases:
      return "select (no cases)";
    case TaskState::kMutexLock:
      return "sync.Mutex.Lock";
    case TaskState::kSemAcquire:
      return "semacquire";
    case TaskState::kCondWait:
      return "sync.Cond.Wait";
    case TaskState::kWaitGroupWait:
      return "sync.WaitGroup.Wait";
    case TaskState::kSyscall:
      return "syscall";
  }
  return "unknown";
}

}  // namespace quoll::task
