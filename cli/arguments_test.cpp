#include "cli/arguments.hpp"

#include <gtest/gtest.h>

#include "cli/command_failure.hpp"

namespace quoll::cli {
namespace {

Arguments parse(std::vector<const char*> words, const Environment& environment = {}) {
  words.insert(words.begin(), "quoll");
  return parse_arguments(static_cast<int>(words.size()), words.data(), environment).value();
}

template <typename Options>
Options options_of(std::vector<const char*> words) {
  return std::get<Options>(parse(std::move(words)).command);
}

int refusal(std::vector<const char*> words) {
  try {
    parse(std::move(words));
  } catch (const CommandFailure& failure) {
    return failure.exit_code();
  }
  return 0;
}

using Words = std::vector<std::string>;

TEST(arguments, the_default_host_has_a_debug_listener_of_its_own) {
  const Arguments arguments = parse({"ps"});
  EXPECT_EQ(arguments.host, "unix:///run/quoll/quoll.sock");
  EXPECT_EQ(arguments.debug_host, "unix:///run/quoll/debug.sock");
}

TEST(arguments, another_host_is_asked_for_tasks_too) {
  EXPECT_EQ(parse({"-H", "tcp://127.0.0.1:2375", "ps"}).debug_host, "tcp://127.0.0.1:2375");
  EXPECT_EQ(parse({"ps"}, {"unix:///x.sock", ""}).debug_host, "unix:///x.sock");
  EXPECT_EQ(parse({"-H", "unix:///run/quoll/quoll.sock", "ps"}).debug_host, "unix:///run/quoll/debug.sock");
}

TEST(arguments, the_command_line_wins_over_the_environment) {
  const Environment environment{"unix:///env.sock", "unix:///env-debug.sock"};
  EXPECT_EQ(parse({"ps"}, environment).host, "unix:///env.sock");
  EXPECT_EQ(parse({"ps"}, environment).debug_host, "unix:///env-debug.sock");
  const Arguments arguments = parse({"--host", "unix:///a", "--debug-host", "unix:///b", "ps"}, environment);
  EXPECT_EQ(arguments.host, "unix:///a");
  EXPECT_EQ(arguments.debug_host, "unix:///b");
}

TEST(arguments, what_follows_the_image_is_the_containers) {
  const auto run = options_of<RunOptions>(
      {"run", "-d", "--rm", "--name", "bg", "busybox", "sh", "-c", "echo $1", "-d", "--", "--name"});
  EXPECT_TRUE(run.detach);
  EXPECT_TRUE(run.remove);
  EXPECT_EQ(run.name, "bg");
  EXPECT_EQ(run.image, "busybox");
  EXPECT_EQ(run.command, (Words{"sh", "-c", "echo $1", "-d", "--", "--name"}));
}

TEST(arguments, words_of_the_command_are_taken_as_they_stand) {
  const auto run = options_of<RunOptions>({"run", "busybox", "[a,b]", "{}", "", "ps", "-h", "--help", "%%"});
  EXPECT_EQ(run.command, (Words{"[a,b]", "{}", "", "ps", "-h", "--help", "%%"}));
}

TEST(arguments, repeated_options_take_one_value_each) {
  const auto run =
      options_of<RunOptions>({"run", "-e", "A=1,2", "-e", "B=[x]", "-v", "/a:/b", "-v", "./c:/d:ro", "busybox", "id"});
  EXPECT_EQ(run.env, (Words{"A=1,2", "B=[x]"}));
  EXPECT_EQ(run.binds, (Words{"/a:/b", "./c:/d:ro"}));
  EXPECT_EQ(run.command, Words{"id"});
}

TEST(arguments, run_takes_the_process_settings) {
  const auto run = options_of<RunOptions>({"run", "-w", "/tmp", "-u", "1000:1000", "--network", "none", "busybox"});
  EXPECT_EQ(run.working_directory, "/tmp");
  EXPECT_EQ(run.user, "1000:1000");
  EXPECT_EQ(run.network, "none");
  EXPECT_TRUE(run.command.empty());
}

TEST(arguments, logs_takes_its_bounds) {
  const auto logs =
      options_of<LogsOptions>({"logs", "-f", "-t", "--tail", "5", "--since", "10m", "--until", "1m", "web"});
  EXPECT_TRUE(logs.follow);
  EXPECT_TRUE(logs.timestamps);
  EXPECT_EQ(logs.tail, "5");
  EXPECT_EQ(logs.since, "10m");
  EXPECT_EQ(logs.until, "1m");
  EXPECT_EQ(logs.container, "web");
  EXPECT_EQ(options_of<LogsOptions>({"logs", "web"}).tail, "all");
}

TEST(arguments, several_containers_can_be_named) {
  const auto stop = options_of<StopOptions>({"stop", "-t", "3", "a", "b"});
  EXPECT_EQ(stop.timeout_s, 3);
  EXPECT_EQ(stop.containers, (Words{"a", "b"}));
  EXPECT_EQ(options_of<StopOptions>({"stop", "a"}).timeout_s, std::nullopt);
  EXPECT_EQ(options_of<RemoveOptions>({"rm", "-f", "a", "b"}).containers, (Words{"a", "b"}));
  EXPECT_EQ(options_of<KillOptions>({"kill", "-s", "HUP", "a"}).signal, "HUP");
}

TEST(arguments, a_container_may_be_called_as_a_command_is) {
  EXPECT_EQ(options_of<WaitOptions>({"wait", "run", "ps"}).containers, (Words{"run", "ps"}));
}

TEST(arguments, a_wrong_command_line_is_refused_with_dockers_codes) {
  EXPECT_EQ(refusal({}), 1);
  EXPECT_EQ(refusal({"nonsense"}), 1);
  EXPECT_EQ(refusal({"ps", "--nonsense"}), 1);
  EXPECT_EQ(refusal({"stop"}), 1);
  EXPECT_EQ(refusal({"stop", "-t", "soon", "a"}), 1);
  EXPECT_EQ(refusal({"rm", "--nonsense", "run"}), 1);
  EXPECT_EQ(refusal({"run"}), 125);
  EXPECT_EQ(refusal({"run", "--nonsense", "busybox"}), 125);
  EXPECT_EQ(refusal({"run", "--name"}), 125);
  EXPECT_EQ(refusal({"run", ""}), 125);
}

TEST(arguments, what_follows_the_container_is_the_execs_command) {
  const auto options =
      options_of<ExecOptions>({"exec", "-it", "-e", "A=1", "-w", "/tmp", "-u", "5", "bg", "ls", "-l", "--rm"});
  EXPECT_EQ(options.container, "bg");
  EXPECT_EQ(options.command, (Words{"ls", "-l", "--rm"}));
  EXPECT_TRUE(options.interactive && options.tty && !options.detach && !options.privileged);
  EXPECT_EQ(options.env, (Words{"A=1"}));
  EXPECT_EQ(refusal({"exec", "bg"}), 1);
  EXPECT_EQ(refusal({"exec", "--nonsense", "bg", "ls"}), 1);
  EXPECT_TRUE(options_of<AttachOptions>({"attach", "--no-stdin", "bg"}).no_stdin);
}

TEST(arguments, help_prints_and_gives_nothing) {
  const char* const words[] = {"quoll", "run", "--help"};
  testing::internal::CaptureStdout();
  EXPECT_FALSE(parse_arguments(3, words, {}).has_value());
  EXPECT_NE(testing::internal::GetCapturedStdout().find("IMAGE [COMMAND"), std::string::npos);
}

}  // namespace
}  // namespace quoll::cli
