#include "cli/run_request.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command_failure.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

RunOptions busybox() {
  RunOptions options;
  options.image = "busybox";
  return options;
}

TEST(run_request, what_is_not_said_is_left_to_the_image) {
  const json request = create_request(busybox());
  EXPECT_EQ(request["Image"], "busybox");
  for (const char* key : {"Cmd", "WorkingDir", "User", "Entrypoint"}) EXPECT_FALSE(request.contains(key)) << key;
  EXPECT_FALSE(request["HostConfig"].contains("NetworkMode"));
}

TEST(run_request, every_option_reaches_the_daemon) {
  RunOptions options = busybox();
  options.command = {"sh", "-c", "id"};
  options.working_directory = "/tmp";
  options.user = "1:2";
  options.network = "none";
  options.tty = true;
  options.binds = {"/a:/b:ro"};
  options.env = {"A=1"};
  const json request = create_request(options);
  EXPECT_EQ(request["Cmd"], json({"sh", "-c", "id"}));
  EXPECT_EQ(request["WorkingDir"], "/tmp");
  EXPECT_EQ(request["User"], "1:2");
  EXPECT_EQ(request["Tty"], true);
  EXPECT_EQ(request["Env"], json::array({"A=1"}));
  EXPECT_EQ(request["HostConfig"]["NetworkMode"], "none");
  EXPECT_EQ(request["HostConfig"]["Binds"], json::array({"/a:/b:ro"}));
}

TEST(run_request, only_a_detached_container_removes_itself) {
  RunOptions options = busybox();
  options.remove = true;
  EXPECT_EQ(create_request(options)["HostConfig"]["AutoRemove"], false);
  options.detach = true;
  EXPECT_EQ(create_request(options)["HostConfig"]["AutoRemove"], true);
}

TEST(run_request, a_variable_without_a_value_takes_ours) {
  ::setenv("QUOLL_TEST_PRESENT", "here=1", 1);
  ::unsetenv("QUOLL_TEST_ABSENT");
  RunOptions options = busybox();
  options.env = {"QUOLL_TEST_PRESENT", "QUOLL_TEST_ABSENT", "EMPTY="};
  EXPECT_EQ(create_request(options)["Env"], json::array({"QUOLL_TEST_PRESENT=here=1", "EMPTY="}));
  ::unsetenv("QUOLL_TEST_PRESENT");
}

TEST(run_request, a_relative_source_becomes_absolute) {
  RunOptions options = busybox();
  options.binds = {"./data:/data:ro"};
  const std::string expected = (std::filesystem::current_path() / "data").string() + ":/data:ro";
  EXPECT_EQ(create_request(options)["HostConfig"]["Binds"][0], expected);
  options.binds = {"/data"};
  EXPECT_THROW(create_request(options), CommandFailure);
}

TEST(run_request, exit_codes_of_what_did_not_start_are_dockers) {
  EXPECT_EQ(exit_code_of_start_failure("exec: \"nope\": executable file not found in $PATH: unknown"), 127);
  EXPECT_EQ(exit_code_of_start_failure("executable file `nope` not found in $PATH: No such file or directory"), 127);
  EXPECT_EQ(exit_code_of_start_failure("open executable: Permission denied"), 126);
  EXPECT_EQ(exit_code_of_start_failure("exec /tmp: is a directory"), 126);
  EXPECT_EQ(exit_code_of_start_failure("no space left on device"), 125);
}

}  // namespace
}  // namespace quoll::cli
