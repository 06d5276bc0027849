#include "debug/stack_sample.hpp"

#include <algorithm>
#include <cstring>

#include "task/record.hpp"
#include "task/worker.hpp"

namespace quoll::debug {
namespace {

constexpr std::string_view kRunTask = "quoll::task::Worker::run_task";

// Where the native stack goes over into the task's chain of awaits: at the innermost coroutine, or, where that has been
// inlined, at the loop that resumed it.
std::size_t native_part(std::span<const NativeSymbol> native, const Place& innermost) {
  const std::string coroutine = collapse_template_arguments(innermost.function);
  for (const std::string_view boundary : {std::string_view(coroutine), kRunTask}) {
    const auto at =
        std::find_if(native.begin(), native.end(), [&](auto& symbol) { return symbol.function == boundary; });
    if (at != native.end()) return static_cast<std::size_t>(at - native.begin());
  }
  return native.size();
}

}  // namespace

void note_running_task(StackSample& sample) noexcept {
  sample.await_count = 0;
  sample.task = {};
  sample.route_size = 0;
  const task::TaskRecord* const task = task::Worker::current_task();
  if (task == nullptr) return;
  sample.task = task->name;
  for (const task::Frame* frame = task->leaf; frame != nullptr && sample.await_count < kSampleAwaitsMax;
       frame = frame->caller) {
    sample.awaits[sample.await_count++] = frame->at;
  }
  const task::Labels* const labels = task->labels;
  if (labels == nullptr) return;
  // The handler may stand between the two stores of a view's assignment, which happens once: half of it is none.
  const std::string_view route = labels->route;
  if (route.data() == nullptr) return;
  sample.route_size = std::min(route.size(), sample.route.size());
  std::memcpy(sample.route.data(), route.data(), sample.route_size);
}

std::vector<const Place*> whole_stack(std::span<const NativeSymbol> native,
                                      std::span<const std::source_location> awaits) {
  std::vector<const Place*> stack;
  std::size_t native_count = native.size();
  if (!awaits.empty()) native_count = native_part(native, place_of(awaits.front()));
  for (const NativeSymbol& symbol : native.first(native_count)) {
    stack.push_back(&native_place(symbol.function, symbol.module));
  }
  for (const std::source_location& await : awaits) stack.push_back(&place_of(await));
  if (stack.empty()) stack.push_back(&native_place("unknown", ""));
  return stack;
}

}  // namespace quoll::debug
