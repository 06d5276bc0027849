#include "daemon/startup_pages.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace quoll::daemon {
namespace {

// Kilobytes of program code that are mapped just now.
long resident_code_kb() {
  std::ifstream maps("/proc/self/smaps");
  long sum = 0;
  bool is_code = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("-") < 17 && line.find(' ') > 8) is_code = line.find(" r-xp ") != std::string::npos;
    if (is_code && line.starts_with("Rss:")) sum += std::stol(line.substr(4));
  }
  return sum;
}

TEST(startup_pages, code_goes_and_comes_back_when_it_is_run) {
  const long before = resident_code_kb();
  ASSERT_GT(before, 0);
  drop_startup_pages();
  EXPECT_LT(resident_code_kb(), before);
  EXPECT_EQ(std::to_string(1234), "1234");
}

}  // namespace
}  // namespace quoll::daemon
