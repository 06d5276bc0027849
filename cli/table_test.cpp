#include "cli/table.hpp"

#include <gtest/gtest.h>

namespace quoll::cli {
namespace {

TEST(table, columns_are_as_wide_as_their_widest_cell_and_three_spaces) {
  Table table({"CONTAINER ID", "PORTS", "NAMES"});
  table.add_row({"0123456789ab", "", "bg"});
  table.add_row({"ba9876543210", "0.0.0.0:80->80/tcp", "web"});
  EXPECT_EQ(table.text(),
            "CONTAINER ID   PORTS                NAMES\n"
            "0123456789ab                        bg\n"
            "ba9876543210   0.0.0.0:80->80/tcp   web\n");
}

TEST(table, no_column_is_narrower_than_ten) {
  Table table({"TAG", "PORTS", "NAMES"});
  EXPECT_EQ(table.text(), "TAG       PORTS     NAMES\n");
}

TEST(table, lines_end_without_spaces) {
  Table table({"A", "B"});
  table.add_row({"x", ""});
  EXPECT_EQ(table.text(), "A         B\nx\n");
}

TEST(table, characters_are_counted_not_bytes) {
  Table table({"COMMAND", "STATUS"});
  table.add_row({"\"sh -c 'while tr…\"", "Up"});
  table.add_row({"\"sh -c 'while tr.\"", "Up"});
  const std::string text = table.text();
  EXPECT_NE(text.find("…\"   Up"), std::string::npos);
  EXPECT_NE(text.find("tr.\"   Up"), std::string::npos);
}

TEST(table, control_characters_cannot_steer_the_terminal) {
  Table table({"NAME"});
  table.add_row({"a\x1b[2Jb\nc\x7f"});
  EXPECT_EQ(table.text(), "NAME\na?[2Jb?c?\n");
}

TEST(table, ellipsis_keeps_what_fits) {
  EXPECT_EQ(ellipsis("12345", 5), "12345");
  EXPECT_EQ(ellipsis("123456", 5), "1234…");
  EXPECT_EQ(ellipsis("äöüäöü", 5), "äöüä…");
  EXPECT_EQ(display_width("äöü…"), 4u);
}

}  // namespace
}  // namespace quoll::cli
