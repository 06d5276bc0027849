// The main of every unit-test program. A run in which no test executed is a failure, not a success.
#include <gmock/gmock.h>

#include <cstdio>

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  const int result = RUN_ALL_TESTS();
  if (testing::UnitTest::GetInstance()->test_to_run_count() == 0 && !GTEST_FLAG_GET(list_tests)) {
    std::fputs("no test ran\n", stderr);
    return 1;
  }
  return result;
}
