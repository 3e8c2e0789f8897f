#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Exits with 77, which ctest reports as "Skipped", when all went well but a test skipped itself.
int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  const int failed = RUN_ALL_TESTS();
  const bool skipped = testing::UnitTest::GetInstance()->skipped_test_count() > 0;
  return failed == 0 && skipped ? 77 : failed;
}
