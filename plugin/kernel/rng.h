// Random numbers that are the same on every machine: the distributions of <random> are not
// portable.

#ifndef SMAX_RNG_H
#define SMAX_RNG_H

#include <cstdint>
#include <random>
#include <vector>

namespace smax {

// An independent stream for each (seed, index).
class Rng {
 public:
  Rng(uint64_t seed, uint64_t index);

  double uniform();                        // [0, 1)
  double uniform(double lo, double hi);    // [lo, hi)
  int below(int n);                        // 0 .. n-1
  double normal();                         // mean 0, variance 1
  double log_gamma_variate(double a);      // log of a Gamma(a, 1) variate, a > 0
  double beta(double a, double b);         // Beta(a, b), a, b > 0
  // Index drawn in proportion to weights (>= 0, not all zero); -1 if all are zero.
  int pick(const std::vector<double> &weights);

 private:
  std::mt19937_64 engine;    // its sequence is fixed by the C++ standard
};

}    // namespace smax

#endif
