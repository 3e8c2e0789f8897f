#pragma once

// The headers are C++20. An older language would fail at many places; this says why at one.
#ifdef _MSVC_LANG
#define DESCRAMBLE_LANGUAGE _MSVC_LANG
#else
#define DESCRAMBLE_LANGUAGE __cplusplus
#endif
#if DESCRAMBLE_LANGUAGE < 202002L
#error "descramble's headers need C++20: compile with -std=c++20 or newer (CMAKE_CXX_STANDARD 20)"
#endif
#undef DESCRAMBLE_LANGUAGE
