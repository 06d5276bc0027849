#include "cli/attached.hpp"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>

#include "cli/frame_decoder.hpp"
#include "task/scope.hpp"
#include "task/signals.hpp"
#include "task/this_task.hpp"

namespace quoll::cli {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::string_view kDetachKeys = "\x10\x11";  // the daemon looks for them; here only to know why it ended

// The terminal passes every key on, for as long as this lives.
class RawTerminal {
 public:
  explicit RawTerminal(bool wanted) : raw_(wanted && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!raw_) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  ~RawTerminal() {
    if (raw_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
  const bool raw_;
};

struct Attached {
  Context& context;
  Engine& stream;
  const AttachedOptions options;
  bool detached = false;
};

task::Task<void> copy_input(Attached& attached) {
  Input input(UniqueFd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)));
  std::string buffer(kBufferBytes, '\0');
  std::string last;
  while (const std::size_t count = co_await input.read(buffer)) {
    const std::string_view typed(buffer.data(), count);
    if (attached.options.tty) {
      last.append(typed);
      last.erase(0, last.size() > kDetachKeys.size() ? last.size() - kDetachKeys.size() : 0);
      attached.detached = last == kDetachKeys;
    }
    co_await attached.stream.write_raw(typed);
  }
  attached.stream.shutdown_write();
}

// The daemon takes no more input: what it still has to say comes all the same.
task::Task<void> serve_input(Attached& attached) {
  try {
    co_await copy_input(attached);
  } catch (const Error&) {
  }
}

task::Task<void> tell_size(Attached& attached) {
  const auto size = attached.context.out.screen();
  if (!size) co_return;
  try {
    Engine engine(attached.context.host);
    co_await engine.act("POST", attached.options.resize_target + "?h=" + std::to_string(size->rows) +
                                    "&w=" + std::to_string(size->columns));
  } catch (const Error&) {
    // It has ended meanwhile, or has not begun; the next change tells it anew.
  }
}

task::Task<void> follow_size(Attached& attached) {
  task::SignalWaiter signals({SIGWINCH});
  while (true) {
    co_await tell_size(attached);
    co_await signals.next();
  }
}

task::Task<void> copy_output(Attached& attached) {
  std::string buffer(kBufferBytes, '\0');
  FrameDecoder decoder;
  std::vector<std::pair<FrameStream, std::string>> pieces;
  const FrameDecoder::Sink collect = [&pieces](FrameStream stream, std::string_view payload) {
    if (pieces.empty() || pieces.back().first != stream) pieces.emplace_back(stream, "");
    pieces.back().second += payload;
  };
  while (const std::size_t count = co_await attached.stream.read_raw(buffer)) {
    const std::string_view bytes(buffer.data(), count);
    pieces.clear();
    if (attached.options.tty) {
      pieces.emplace_back(FrameStream::kStdout, bytes);
    } else {
      decoder.feed(bytes, collect);
    }
    for (const auto& [stream, text] : pieces) {
      Output& target = stream == FrameStream::kStderr ? attached.context.error : attached.context.out;
      co_await target.write(text);
    }
  }
}

task::Task<void> serve(Attached& attached, task::Scope& scope) {
  if (attached.options.input) scope.spawn("quoll: standard input", serve_input(attached));
  if (attached.options.tty) scope.spawn("quoll: terminal size", follow_size(attached));
  co_await copy_output(attached);
  scope.cancel(task::CancelReason::kParent);
}

}  // namespace

task::Task<AttachedEnd> run_attached(Context& context, Engine& stream, AttachedOptions options) {
  const RawTerminal raw(options.tty && options.input);
  Attached attached{context, stream, std::move(options)};
  co_await task::with_scope("quoll: attached", [&attached](task::Scope& scope) { return serve(attached, scope); });
  co_return attached.detached ? AttachedEnd::kDetached : AttachedEnd::kStream;
}

}  // namespace quoll::cli
