#pragma once

#include <gmock/gmock.h>

#include "descramble/core/error.h"

namespace descramble::test {

/// An exception of that type whose message is one line, without a Python stack, and has all parts.
template <typename Exception, typename... Parts>
auto ThrowsWith(const Parts&... parts) {
  return ::testing::ThrowsMessage<Exception>(::testing::AllOf(
      ::testing::Not(::testing::HasSubstr("\n")), ::testing::Not(::testing::HasSubstr("Traceback")),
      ::testing::HasSubstr(parts)...));
}

/// EXPECT_THAT([&] { … }, ThrowsError("part", "another part"))
template <typename... Parts>
auto ThrowsError(const Parts&... parts) {
  return ThrowsWith<Error>(parts...);
}

}  // namespace descramble::test
