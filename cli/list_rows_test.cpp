#include "cli/list_rows.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace quoll::cli {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using Row = std::vector<std::string>;

const std::chrono::system_clock::time_point kNow{1'700'000'000s};
const std::string kId = "4f2a9c0de1b7" + std::string(52, '0');

TEST(list_rows, a_container_is_a_row_as_docker_prints_it) {
  const json container{{"Id", kId},
                       {"Names", {"/bg"}},
                       {"Image", "busybox"},
                       {"Command", "sh -c 'while true; do sleep 1; done'"},
                       {"Created", 1'699'999'995},
                       {"Status", "Up 4 seconds"},
                       {"Ports", json::array()}};
  EXPECT_EQ(container_row(container, IdForm::kShort, kNow),
            (Row{"4f2a9c0de1b7", "busybox", "\"sh -c 'while true; …\"", "5 seconds ago", "Up 4 seconds", "", "bg"}));
  const Row full = container_row(container, IdForm::kFull, kNow);
  EXPECT_EQ(full[0], kId);
  EXPECT_EQ(full[2], "\"sh -c 'while true; do sleep 1; done'\"");
}

TEST(list_rows, a_command_is_quoted) {
  EXPECT_EQ(shown_command("echo \"a\\b\"\n", IdForm::kShort), R"("echo \"a\\b\"\n")");
}

TEST(list_rows, ports_are_those_of_the_host_then_the_containers) {
  const json ports = json::array({{{"IP", "0.0.0.0"}, {"PrivatePort", 80}, {"PublicPort", 8080}, {"Type", "tcp"}},
                                  {{"IP", "::"}, {"PrivatePort", 80}, {"PublicPort", 8080}, {"Type", "tcp"}},
                                  {{"PrivatePort", 53}, {"Type", "udp"}}});
  EXPECT_EQ(shown_ports(ports), "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 53/udp");
}

TEST(list_rows, an_image_has_a_row_for_each_tag) {
  const json image{{"Id", "sha256:" + kId},
                   {"RepoTags", {"busybox:latest", "localhost:5000/tools/busybox:1.36"}},
                   {"Created", 1'700'000'000 - 3 * 86400},
                   {"Size", 4'261'550}};
  const auto rows = image_rows(image, IdForm::kShort, kNow);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (Row{"busybox", "latest", "4f2a9c0de1b7", "3 days ago", "4.26MB"}));
  EXPECT_EQ(rows[1], (Row{"localhost:5000/tools/busybox", "1.36", "4f2a9c0de1b7", "3 days ago", "4.26MB"}));
  EXPECT_EQ(image_rows(image, IdForm::kFull, kNow)[0][2], "sha256:" + kId);
}

TEST(list_rows, an_image_without_tags_is_a_row_too) {
  json image{{"Id", "sha256:" + kId}, {"RepoTags", nullptr}, {"Created", 0}, {"Size", 1}};
  EXPECT_EQ(image_rows(image, IdForm::kShort, kNow).at(0).at(0), "<none>");
  image["RepoDigests"] = {"busybox@sha256:abc"};
  const auto rows = image_rows(image, IdForm::kShort, kNow);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0][0], "busybox");
  EXPECT_EQ(rows[0][1], "<none>");
}

TEST(list_rows, short_ids_are_the_first_twelve_digits) {
  EXPECT_EQ(shown_id("sha256:0123456789abcdef", IdForm::kShort), "0123456789ab");
  EXPECT_EQ(shown_id("0123", IdForm::kShort), "0123");
}

}  // namespace
}  // namespace quoll::cli
