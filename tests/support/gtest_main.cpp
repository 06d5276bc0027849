// The main of every unit-test program. A test that leaves a task behind fails; so does a
// run in which no test executed.
#include <gmock/gmock.h>

#include <cstdio>

#include "debug/no_task_leaks.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  quoll::debug::add_task_leak_listener();
  const int result = RUN_ALL_TESTS();
  if (testing::UnitTest::GetInstance()->test_to_run_count() == 0 && !GTEST_FLAG_GET(list_tests)) {
    std::fputs("no test ran\n", stderr);
    return 1;
  }
  return result;
}
