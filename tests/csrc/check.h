// A minimal test framework.
#pragma once

#include <cstdio>

namespace inpaint {

inline int passed = 0;
inline int failed = 0;

inline void check(bool holds, const char* what) {
  ++(holds ? passed : failed);
  if (!holds) std::printf("FAILED: %s\n", what);
}

// Prints the totals and returns the exit status of the program.
inline int summary() {
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace inpaint
