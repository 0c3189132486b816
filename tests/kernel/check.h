// A number that must not be above its limit; the test fails if any was.

#ifndef SMAX_TEST_CHECK_H
#define SMAX_TEST_CHECK_H

#include <cstdio>
#include <string>

inline int failures = 0;

inline void check(const std::string &what, double value, double limit)
{
  const bool ok = value <= limit;    // false for NaN
  if (!ok) failures++;
  std::printf("%-4s %-60s %9.2e <= %.0e\n", ok ? "ok" : "FAIL", what.c_str(), value, limit);
}

#endif
