#include "descramble/core/base64.h"

#include <array>

#include "throws.h"

namespace descramble::test {

namespace {

// RFC 4648, section 10.
constexpr std::array<std::array<const char*, 2>, 7> examples = {{{"", ""},
                                                                 {"f", "Zg=="},
                                                                 {"fo", "Zm8="},
                                                                 {"foo", "Zm9v"},
                                                                 {"foob", "Zm9vYg=="},
                                                                 {"fooba", "Zm9vYmE="},
                                                                 {"foobar", "Zm9vYmFy"}}};

TEST(Base64, IsThatOfTheStandard) {
  for (const auto& [bytes, text] : examples) {
    EXPECT_EQ(base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(from_base64(base64(all)), all);
  for (const char* odd : {"Zg=", "Zg", "Z!==", "Zm9v Zg=="})
    EXPECT_THAT([&] { from_base64(odd); }, ThrowsError("not base64")) << odd;
}

}  // namespace

}  // namespace descramble::test
