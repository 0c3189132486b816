// Real harmonics from the textbook, and a quadrature on the sphere.

#ifndef SMAX_TEST_GRACE_SPHERE_H
#define SMAX_TEST_GRACE_SPHERE_H

#include <array>
#include <cmath>
#include <vector>

namespace synthetic {

// Real harmonics of a unit vector times sqrt(4 pi), from the textbook formula.
inline std::vector<double> harmonics(int lmax, double x, double y, double z)
{
  std::vector<double> out;
  const double phi = std::atan2(y, x), s = std::sqrt(x * x + y * y);
  for (int l = 0; l <= lmax; l++)
    for (int m = -l; m <= l; m++) {
      const int k = std::abs(m);
      double p0 = 0.0, p1 = 1.0;    // P_l^k without the sign (-1)^k
      for (int i = 1; i <= k; i++) p1 *= (2 * i - 1) * s;
      for (int i = k + 1; i <= l; i++) {
        const double p2 = ((2 * i - 1) * z * p1 - (i + k - 1) * p0) / (i - k);
        p0 = p1, p1 = p2;
      }
      double norm = 2.0 * l + 1.0;
      for (int i = l - k + 1; i <= l + k; i++) norm /= i;
      if (m) norm *= 2.0;
      out.push_back(std::sqrt(norm) * p1 * (m < 0 ? std::sin(k * phi) : std::cos(k * phi)));
    }
  return out;
}

// Points and weights of a quadrature on the sphere, exact to degree 15.
inline std::vector<std::array<double, 4>> sphere()
{
  constexpr int N = 8, M = 17;
  const double pi = std::acos(-1.0);
  std::vector<std::array<double, 4>> out;
  for (int i = 0; i < N; i++) {
    double x = std::cos(pi * (i + 0.75) / (N + 0.5)), dp = 1.0;
    for (int it = 0; it < 100; it++) {
      double p0 = 1.0, p1 = x;
      for (int k = 2; k <= N; k++) {
        const double p2 = ((2 * k - 1) * x * p1 - (k - 1) * p0) / k;
        p0 = p1, p1 = p2;
      }
      dp = N * (x * p1 - p0) / (x * x - 1.0);
      x -= p1 / dp;
    }
    const double w = 2.0 / ((1.0 - x * x) * dp * dp) / (2.0 * M), s = std::sqrt(1.0 - x * x);
    for (int k = 0; k < M; k++)
      out.push_back({s * std::cos(2 * pi * k / M), s * std::sin(2 * pi * k / M), x, w});
  }
  return out;
}

}    // namespace synthetic

#endif
