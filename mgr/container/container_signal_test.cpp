#include "mgr/container/container_signal.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace quoll::mgr {
namespace {

TEST(container_signal, reads_names_in_any_case_with_and_without_sig) {
  EXPECT_EQ(parse_signal("KILL"), SIGKILL);
  EXPECT_EQ(parse_signal("sigterm"), SIGTERM);
  EXPECT_EQ(parse_signal("SigUsr1"), SIGUSR1);
  EXPECT_EQ(parse_signal("WINCH"), SIGWINCH);
}

TEST(container_signal, reads_numbers_in_range) {
  EXPECT_EQ(parse_signal("9"), 9);
  EXPECT_EQ(parse_signal("64"), 64);
  for (const char* bad : {"0", "65", "-1", "9x", "99999999999"}) EXPECT_EQ(parse_signal(bad), std::nullopt) << bad;
}

TEST(container_signal, reads_real_time_signals_from_either_end) {
  EXPECT_EQ(parse_signal("RTMIN"), 34);
  EXPECT_EQ(parse_signal("SIGRTMIN+3"), 37);
  EXPECT_EQ(parse_signal("RTMAX-1"), 63);
  for (const char* bad : {"RTMIN-1", "RTMAX+1", "RTMIN+31", "RTMIN+", "RTMIN+-1"}) {
    EXPECT_EQ(parse_signal(bad), std::nullopt) << bad;
  }
}

TEST(container_signal, refuses_what_is_no_signal) {
  for (const char* bad : {"", "SIG", "FOO", "KILL ", "SIGSIGKILL"}) EXPECT_EQ(parse_signal(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace quoll::mgr
