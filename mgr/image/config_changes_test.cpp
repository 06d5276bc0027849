// Each instruction that --change takes, and what is refused.
#include "mgr/image/config_changes.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

json changed(json config, const std::string& instruction) {
  apply_change(config, instruction);
  return config;
}

std::string refusal(const std::string& instruction) {
  try {
    changed(json::object(), instruction);
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
    return error.message();
  }
  return "no error";
}

TEST(config_changes, every_instruction_sets_its_field) {
  const std::pair<const char*, json> kCases[] = {
      {"CMD [\"a\", \"b c\"]", {{"Cmd", {"a", "b c"}}}},
      {"cmd echo $HOME", {{"Cmd", {"/bin/sh", "-c", "echo $HOME"}}}},
      {"ENTRYPOINT [\"/x\"]", {{"Entrypoint", {"/x"}}}},
      {"ENV A=1 B=\"two words\" C=a\\ b", {{"Env", {"A=1", "B=two words", "C=a b"}}}},
      {"ENV OLD the rest of it", {{"Env", {"OLD=the rest of it"}}}},
      {"EXPOSE 80 53/udp", {{"ExposedPorts", {{"80/tcp", json::object()}, {"53/udp", json::object()}}}}},
      {"LABEL a=b \"c d\"='e f'", {{"Labels", {{"a", "b"}, {"c d", "e f"}}}}},
      {"ONBUILD RUN x", {{"OnBuild", {"RUN x"}}}},
      {"STOPSIGNAL SIGINT", {{"StopSignal", "SIGINT"}}},
      {"USER me:us", {{"User", "me:us"}}},
      {"VOLUME /a /b", {{"Volumes", {{"/a", json::object()}, {"/b", json::object()}}}}},
      {"VOLUME [\"/a b\"]", {{"Volumes", {{"/a b", json::object()}}}}},
      {"WORKDIR /w", {{"WorkingDir", "/w"}}},
      {"HEALTHCHECK NONE", {{"Healthcheck", {{"Test", {"NONE"}}}}}},
      {"HEALTHCHECK --interval=1m30s --retries=3 CMD true",
       {{"Healthcheck", {{"Interval", 90'000'000'000}, {"Retries", 3}, {"Test", {"CMD-SHELL", "true"}}}}}},
  };
  for (const auto& [instruction, expected] : kCases) EXPECT_EQ(changed(json::object(), instruction), expected);
}

TEST(config_changes, what_is_there_is_replaced_by_key_and_else_kept) {
  const json before{{"Env", {"A=1", "AB=2"}}, {"WorkingDir", "/w"}, {"Labels", nullptr}};
  EXPECT_EQ(changed(before, "ENV A=3")["Env"], json({"A=3", "AB=2"}));
  EXPECT_EQ(changed(before, "WORKDIR sub")["WorkingDir"], "/w/sub");
  EXPECT_EQ(changed(before, "LABEL a=b")["Labels"], json({{"a", "b"}}));
}

TEST(config_changes, all_else_is_refused_by_its_name) {
  EXPECT_EQ(refusal("RUN x"), "run is not a valid change command");
  EXPECT_EQ(refusal("ENV"), "ENV requires at least one argument");
  EXPECT_EQ(refusal("ENV A"), "ENV must have two arguments");
  EXPECT_EQ(refusal("EXPOSE http"), "invalid containerPort: http");
  EXPECT_EQ(refusal("EXPOSE 9-8"), "invalid containerPort: 9-8");
  EXPECT_EQ(refusal("EXPOSE 80/x"), "invalid proto: x");
  EXPECT_EQ(refusal("LABEL a=\"b"), "unterminated quote in: a=\"b");
  EXPECT_EQ(refusal("HEALTHCHECK --interval=x CMD y"), "time: invalid duration \"x\"");
  for (const std::string retries : {"", "x", "3x", "-1", "99999999999"}) {
    EXPECT_EQ(refusal("HEALTHCHECK --retries=" + retries + " CMD y"),
              "--retries must be a number of at least 0 (not " + retries + ")");
  }
}

}  // namespace
}  // namespace quoll::mgr
