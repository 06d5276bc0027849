#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/command_failure.hpp"

namespace quoll::cli {
namespace {

constexpr const char* kDefaultHost = "unix:///run/quoll/quoll.sock";
constexpr const char* kDefaultDebugHost = "unix:///run/quoll/debug.sock";

// Each takes one value at a time: "-e A=1 IMAGE" must not take IMAGE for another value.
void add_repeated(CLI::App& app, const char* names, std::vector<std::string>& into, const char* help) {
  app.add_option(names, into, help)->allow_extra_args(false);
}

// One name, or several where `into` is a list.
template <typename T>
void add_names(CLI::App& app, const char* name, T& into) {
  app.add_option(name, into, "name, id, or the beginning of an id")->required();
}

// What a container's first process and a further one are given alike.
template <typename Options>
void add_process(CLI::App& app, Options& options, const char* detach_help) {
  app.prefix_command();
  app.add_flag("-d,--detach", options.detach, detach_help);
  app.add_flag("-i,--interactive", options.interactive, "give it this standard input");
  app.add_flag("-t,--tty", options.tty, "give it a terminal");
  add_repeated(app, "-e,--env", options.env, "set a variable: K=V, or K for its value here");
  app.add_option("-w,--workdir", options.working_directory, "where it starts");
  app.add_option("-u,--user", options.user, "as whom: NAME|UID[:GROUP|GID]");
}

void add_pid(CLI::App& app, int& pid) {
  app.add_option("PID", pid, "the process to ask, found by its sockets; else the one at --debug-host")
      ->check(CLI::PositiveNumber);
}

void add_selection(CLI::App& app, TaskSelection& tasks) {
  add_pid(app, tasks.pid);
  app.add_option("--match", tasks.match, "a regular expression found in a function, the task's name or its request");
  app.add_option("--state", tasks.state, "as dumps print it: \"chan receive\", \"IO wait\", ...");
  app.add_option("--min-wait", tasks.min_wait, "waiting in its state for at least that long: 30s, 2m");
}

void declare(CLI::App& app, StackOptions& options) { add_selection(app, options.tasks); }
void declare(CLI::App& app, TasksOptions& options) { add_selection(app, options.tasks); }
void declare(CLI::App& app, TreeOptions& options) { add_selection(app, options.tasks); }
void declare(CLI::App& app, TopOptions& options) {
  add_selection(app, options.tasks);
  app.add_option("-d,--delay", options.delay, "seconds between two pictures")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
  app.add_option("-n,--iterations", options.iterations, "end after that many pictures")->check(CLI::PositiveNumber);
}

void declare(CLI::App& app, LeaksOptions& options) {
  add_pid(app, options.pid);
  app.add_option("--grace", options.grace, "how long a task may live on after its client has left: 10s");
}
void declare(CLI::App& app, StatsOptions& options) { add_pid(app, options.pid); }

// IMAGE and what follows are taken as they stand, from what the parser leaves over: options among them are the
// command's own, and the library's special readings of "[a,b]" and "{}" do not apply.
void declare(CLI::App& app, RunOptions& options) {
  add_process(app, options, "start it, print its id and leave it running");
  app.footer("IMAGE [COMMAND [ARGUMENT...]] end the line: what follows IMAGE is the container's.");
  app.add_flag("--rm", options.remove, "remove it when it has ended");
  app.add_option("--name", options.name, "its name");
  add_repeated(app, "-v,--volume", options.binds, "mount a path of the host: SOURCE:TARGET[:ro]");
  app.add_option("--network", options.network, "bridge, none, host or container:NAME");
}

void declare(CLI::App& app, ExecOptions& options) {
  add_process(app, options, "start it and leave it running");
  app.footer("CONTAINER COMMAND [ARGUMENT...] end the line.");
  app.add_flag("--privileged", options.privileged, "give it every right that the daemon has");
}

void declare(CLI::App& app, AttachOptions& options) {
  app.add_flag("--no-stdin", options.no_stdin, "look on only");
  add_names(app, "CONTAINER", options.container);
}

void declare(CLI::App& app, PsOptions& options) {
  app.add_flag("-a,--all", options.all, "those that do not run too");
  app.add_flag("-q,--quiet", options.quiet, "ids only");
  app.add_flag("--no-trunc", options.full, "do not shorten ids and commands");
}

void declare(CLI::App& app, LogsOptions& options) {
  app.add_flag("-f,--follow", options.follow, "go on with what is written from now on");
  app.add_flag("-t,--timestamps", options.timestamps, "the time before each line");
  app.add_option("-n,--tail", options.tail, "the last N lines only")->capture_default_str();
  app.add_option("--since", options.since, "from then on: 10m, 2024-05-01T12:00:00Z, seconds since 1970");
  app.add_option("--until", options.until, "up to then, in the same forms");
  add_names(app, "CONTAINER", options.container);
}

void declare(CLI::App& app, StopOptions& options) {
  app.add_option("-t,--time,--timeout", options.timeout_s, "seconds from the signal to the kill");
  add_names(app, "CONTAINER", options.containers);
}

void declare(CLI::App& app, KillOptions& options) {
  app.add_option("-s,--signal", options.signal, "by name or number; KILL if none is given");
  add_names(app, "CONTAINER", options.containers);
}

void declare(CLI::App& app, RemoveOptions& options) {
  app.add_flag("-f,--force", options.force, "kill it first where it runs");
  add_names(app, "CONTAINER", options.containers);
}

void declare(CLI::App& app, WaitOptions& options) { add_names(app, "CONTAINER", options.containers); }

void declare(CLI::App& app, ImagesOptions& options) {
  app.add_flag("-q,--quiet", options.quiet, "ids only");
  app.add_flag("--no-trunc", options.full, "do not shorten ids");
}

void declare(CLI::App& app, LoadOptions& options) {
  app.add_option("-i,--input", options.file,
                 "an archive of docker save or an OCI layout; standard input if none is given");
}

void declare(CLI::App& app, PullOptions& options) {
  app.add_option("--platform", options.platform, "of an image for many, as in linux/arm64");
  app.add_option("IMAGE", options.image, "name, name:tag or name@digest")->required();
}

void declare(CLI::App& app, PushOptions& options) {
  app.add_option("IMAGE", options.image, "name or name:tag")->required();
}

void declare(CLI::App& app, LoginOptions& options) {
  app.add_option("-u,--username", options.user, "who we are there")->required();
  app.add_flag("--password-stdin", options.password_from_input, "the password comes on standard input")->required();
  app.add_option("SERVER", options.server, "host or host:port; Docker Hub if none is given");
}

void declare(CLI::App& app, LogoutOptions& options) {
  app.add_option("SERVER", options.server, "host or host:port; Docker Hub if none is given");
}

void declare(CLI::App& app, RemoveImageOptions& options) {
  app.add_flag("-f,--force", options.force, "though a stopped container uses it");
  add_names(app, "IMAGE", options.images);
}

void declare(CLI::App&, VersionOptions&) {}
void declare(CLI::App&, InfoOptions&) {}

// Adds the sub-command; `into` gets its options where it is the one that was given.
template <typename Options>
void add_command(CLI::App& app, Command& into, const char* name, const char* help) {
  CLI::App* const sub_command = app.add_subcommand(name, help);
  const auto options = std::make_shared<Options>();
  declare(*sub_command, *options);
  sub_command->callback([&into, options] { into = std::move(*options); });
}

void add_commands(CLI::App& app, Command& into) {
  add_command<StackOptions>(app, into, "stack", "the daemon's live tasks with their stacks");
  add_command<TasksOptions>(app, into, "tasks", "the daemon's live tasks, a line each");
  add_command<TreeOptions>(app, into, "tree", "the daemon's live tasks, each below the one that spawned it");
  add_command<TopOptions>(app, into, "top",
                          "the daemon's live tasks, again and again: what runs and what waits longest");
  add_command<LeaksOptions>(app, into, "leaks", "tasks that can never end, and why; exit status 1 if there are any");
  add_command<StatsOptions>(app, into, "stats", "the daemon's tasks by state, memory, descriptors and threads");
  add_command<RunOptions>(app, into, "run", "create a container and start it");
  add_command<ExecOptions>(app, into, "exec", "run a command in a running container");
  add_command<AttachOptions>(app, into, "attach", "join a running container's standard streams");
  add_command<PsOptions>(app, into, "ps", "list containers");
  add_command<LogsOptions>(app, into, "logs", "what a container has written");
  add_command<StopOptions>(app, into, "stop", "stop containers");
  add_command<KillOptions>(app, into, "kill", "send containers a signal");
  add_command<RemoveOptions>(app, into, "rm", "remove containers");
  add_command<WaitOptions>(app, into, "wait", "wait until containers have ended, and print their exit codes");
  add_command<ImagesOptions>(app, into, "images", "list images");
  add_command<LoadOptions>(app, into, "load", "load images from an archive");
  add_command<PullOptions>(app, into, "pull", "download an image from a registry");
  add_command<PushOptions>(app, into, "push", "upload an image to its registry");
  add_command<LoginOptions>(app, into, "login", "have a registry check who we are, and keep that for pull and push");
  add_command<LogoutOptions>(app, into, "logout", "forget who we are at a registry");
  add_command<RemoveImageOptions>(app, into, "rmi", "remove images");
  add_command<VersionOptions>(app, into, "version", "the versions of quoll and of the daemon");
  add_command<InfoOptions>(app, into, "info", "what the daemon says of itself and its host");
}

[[noreturn]] void refuse(bool is_run, const std::string& message) {
  throw CommandFailure(is_run ? kExitDaemonFailed : 1, message);
}

// The name of an image or a container, and the command behind it.
void take_name_and_command(std::vector<std::string> rest, bool is_run, std::string& name,
                           std::vector<std::string>& command) {
  const std::string verb = is_run ? "run" : "exec";
  const std::string see = " (see quoll " + verb + " --help)";
  if (!rest.empty() && rest.front().starts_with('-')) {
    refuse(is_run, verb + ": unknown option " + rest.front() + see);
  }
  if (is_run && (rest.empty() || rest.front().empty())) refuse(is_run, "run: no image given" + see);
  if (!is_run && rest.size() < 2) refuse(is_run, "exec: a container and a command are needed" + see);
  name = std::move(rest.front());
  command.assign(std::make_move_iterator(rest.begin() + 1), std::make_move_iterator(rest.end()));
}

// The debug listener of the default daemon is a socket of its own; other hosts serve /debug beside the API.
void choose_hosts(Arguments& arguments, const Environment& environment) {
  if (arguments.host.empty()) arguments.host = environment.host;
  if (arguments.debug_host.empty()) arguments.debug_host = environment.debug_host;
  if (arguments.debug_host.empty()) {
    arguments.debug_host =
        arguments.host.empty() || arguments.host == kDefaultHost ? kDefaultDebugHost : arguments.host;
  }
  if (arguments.host.empty()) arguments.host = kDefaultHost;
}

}  // namespace

std::optional<Arguments> parse_arguments(int argc, const char* const* argv, const Environment& environment) {
  Arguments arguments;
  CLI::App app("quoll: run containers with quolld, and see what its tasks are doing", "quoll");
  app.set_version_flag("--version", "quoll " QUOLL_VERSION);
  app.require_subcommand(1);
  app.add_option(
      "-H,--host", arguments.host,
      "the daemon: unix://PATH or tcp://ADDRESS:PORT; default $QUOLL_HOST, else " + std::string(kDefaultHost));
  app.add_option("--debug-host", arguments.debug_host,
                 "where stack and tasks ask; default $QUOLL_DEBUG_HOST, else " + std::string(kDefaultDebugHost) +
                     " for the default host and the host itself for any other");
  add_commands(app, arguments.command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    app.exit(asked);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    refuse(app.got_subcommand("run"), std::string(error.what()) + " (see quoll --help)");
  }
  if (auto* const run = std::get_if<RunOptions>(&arguments.command)) {
    take_name_and_command(app.get_subcommand("run")->remaining(), true, run->image, run->command);
  }
  if (auto* const exec = std::get_if<ExecOptions>(&arguments.command)) {
    take_name_and_command(app.get_subcommand("exec")->remaining(), false, exec->container, exec->command);
  }
  choose_hosts(arguments, environment);
  return arguments;
}

}  // namespace quoll::cli
