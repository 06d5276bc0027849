#include "debug/dump.hpp"

#include <memory>
#include <utility>

#include "debug/outside_walk.hpp"
#include "debug/text.hpp"
#include "task/clock.hpp"
#include "task/this_task.hpp"

namespace quoll::debug {
namespace {

class TextVisitor final : public Visitor {
 public:
  TextVisitor(FileNames files, std::string_view mark) : files_(files), mark_(mark) {}
  void visit(const TaskView& task, Chunk& into) override {
    into.text += '\n';  // between two paragraphs
    append_task(into.text, task, files_, mark_);
  }
  bool full(const Chunk& chunk) const override { return chunk.text.size() >= Walk::kChunkBytes; }

 private:
  const FileNames files_;
  const std::string_view mark_;
};

class SummaryVisitor final : public Visitor {
 public:
  void visit(const TaskView& task, Chunk& into) override { into.summaries.push_back(summarize(task)); }
  bool full(const Chunk& chunk) const override { return chunk.summaries.size() >= Walk::kChunkSummaries; }
};

class CountVisitor final : public Visitor {
 public:
  void visit(const TaskView& task, Chunk& into) override { into.counts.add(task); }
  bool full(const Chunk& chunk) const override { return chunk.counts.size() >= Walk::kChunkSummaries; }
};

// Calls visit(view) for the calling task, which no walk visits, where the filter shows it. True where it did.
template <typename F>
bool visit_self(const std::shared_ptr<const Filter>& filter, F visit) {
  const task::TaskRecord& record = task::this_task::record();
  StackReader stack;
  const TaskView view{record, stack.read(record), task::coarse_now_ns()};
  if (!FilterMemo(filter).shows(view)) return false;
  visit(view);
  return true;
}

// The running task of a worker whose thread takes no signals either.
TaskSummary unavailable(const SilentWorker& worker) {
  TaskSummary summary;
  summary.id = worker.running_id;
  summary.worker = worker.name;
  summary.state = task::TaskState::kRunning;
  return summary;
}

// The tasks that the silent workers still owe, some at a time; none once there are no more.
class SilentTasks {
 public:
  SilentTasks(std::shared_ptr<const Filter> filter, WalkFacts& facts) : filter_(std::move(filter)), facts_(facts) {}

  std::vector<TaskSummary> next() {
    std::vector<TaskSummary> tasks;
    while (tasks.empty() && at_ < facts_.silent.size()) tasks = some();
    facts_.tasks += tasks.size();
    return tasks;
  }

 private:
  std::vector<TaskSummary> some() {
    SilentWorker& worker = facts_.silent[at_];
    if (!walk_) {
      walk_.emplace(*worker.worker, worker.cursor);
      any_ = false;
    }
    std::vector<TaskSummary> tasks = walk_->next();
    worker.listed = walk_->complete();
    const bool through = worker.listed || tasks.empty();
    any_ = any_ || !tasks.empty();
    std::erase_if(tasks, [this](const TaskSummary& task) { return !filter_.shows(task); });
    if (!through) return tasks;
    if (!any_ && !worker.listed && worker.running_id != 0) tasks.push_back(unavailable(worker));
    walk_.reset();
    ++at_;
    return tasks;
  }

  FilterMemo filter_;
  WalkFacts& facts_;
  std::size_t at_ = 0;
  bool any_ = false;  // of the worker that it is at
  std::optional<OutsideWalk> walk_;
};

}  // namespace

task::Task<WalkFacts> stream_text(task::Runtime& runtime, DumpOptions options, TextSink sink) {
  const FileNames files = options.files;
  const std::string_view mark = options.mark;
  const auto filter = std::make_shared<const Filter>(std::move(options));
  Walk walk(runtime, filter, [files, mark] { return std::make_unique<TextVisitor>(files, mark); });
  std::string self;
  const bool self_shown = visit_self(filter, [&](const TaskView& view) { append_task(self, view, files, mark); });
  if (self_shown) co_await sink(self);
  bool first = !self_shown;
  while (std::optional<Chunk> chunk = co_await walk.next()) {
    std::string_view text = chunk->text;
    if (std::exchange(first, false)) text.remove_prefix(1);
    co_await sink(text);
    walk.recycle(std::move(*chunk));
  }
  WalkFacts facts = walk.facts();
  facts.tasks += self_shown ? 1 : 0;
  SilentTasks silent(filter, facts);
  for (std::vector<TaskSummary> tasks = silent.next(); !tasks.empty(); tasks = silent.next()) {
    std::string text;
    for (const TaskSummary& task : tasks) {
      if (!std::exchange(first, false)) text += '\n';
      append_task(text, task, files);
    }
    co_await sink(text);
  }
  co_return facts;
}

task::Task<WalkFacts> stream_summaries(task::Runtime& runtime, DumpOptions options, SummarySink sink) {
  const auto filter = std::make_shared<const Filter>(std::move(options));
  Walk walk(runtime, filter, [] { return std::make_unique<SummaryVisitor>(); });
  std::vector<TaskSummary> self;
  visit_self(filter, [&](const TaskView& view) { self.push_back(summarize(view)); });
  if (!self.empty()) co_await sink(self);
  while (std::optional<Chunk> chunk = co_await walk.next()) co_await sink(chunk->summaries);
  WalkFacts facts = walk.facts();
  facts.tasks += self.size();
  SilentTasks silent(filter, facts);
  for (std::vector<TaskSummary> tasks = silent.next(); !tasks.empty(); tasks = silent.next()) co_await sink(tasks);
  co_return facts;
}

namespace {

task::Task<void> append_to(std::string* out, std::string_view text) {
  out->append(text);
  co_return;
}

task::Task<void> append_summaries(std::vector<TaskSummary>* out, const std::vector<TaskSummary>& tasks) {
  out->insert(out->end(), tasks.begin(), tasks.end());
  co_return;
}

}  // namespace

task::Task<std::string> dump_text(task::Runtime& runtime, DumpOptions options) {
  std::string text;
  TextSink sink = [&text](std::string_view piece) { return append_to(&text, piece); };
  co_await stream_text(runtime, std::move(options), std::move(sink));
  co_return text;
}

task::Task<std::vector<TaskSummary>> list_tasks(task::Runtime& runtime, DumpOptions options) {
  std::vector<TaskSummary> tasks;
  SummarySink sink = [&tasks](const std::vector<TaskSummary>& some) { return append_summaries(&tasks, some); };
  co_await stream_summaries(runtime, std::move(options), std::move(sink));
  co_return tasks;
}

task::Task<StackCounts> count_stacks(task::Runtime& runtime, DumpOptions options, WalkFacts* facts) {
  const auto filter = std::make_shared<const Filter>(std::move(options));
  Walk walk(runtime, filter, [] { return std::make_unique<CountVisitor>(); });
  StackCounts counts;
  const bool self_shown = visit_self(filter, [&](const TaskView& view) { counts.add(view); });
  while (std::optional<Chunk> chunk = co_await walk.next()) counts.merge(chunk->counts);
  WalkFacts walked = walk.facts();
  walked.tasks += self_shown ? 1 : 0;
  SilentTasks silent(filter, walked);
  for (std::vector<TaskSummary> tasks = silent.next(); !tasks.empty(); tasks = silent.next()) {
    for (const TaskSummary& task : tasks) {
      if (!task.frames.empty()) counts.add({task.frames, task.name, task.state, task.route, task.container}, 1);
    }
  }
  if (facts != nullptr) *facts = std::move(walked);
  co_return counts;
}

}  // namespace quoll::debug
