// Sizes of padded tensors. XLA compiles anew for each size: a size is kept until it is outgrown,
// or far too large for long.

#ifndef SMAX_PADDING_H
#define SMAX_PADDING_H

#include <cmath>
#include <cstdint>

namespace smax {

class Capacity {
 public:
  // Room for n and a margin: a fraction of n, and at least some standard deviations of a count.
  explicit Capacity(double fraction = 0.0, double deviations = 0.0) :
      fraction(fraction), deviations(deviations)
  {
  }
  int64_t size() const { return capacity; }

  // stretch: what n may become when that on which it depends fills its own room
  int64_t fit(int64_t n, double stretch = 1.0)
  {
    const auto most = int64_t(double(n) * stretch);
    const int64_t wanted = roomy(most, fraction);
    if (n > capacity) {
      // what grows once may grow again
      capacity = capacity == 0 ? wanted : roomy(most, std::fmax(fraction, GROWING));
      lean = 0;
    } else if (2 * wanted < capacity && ++lean >= PATIENCE) {
      capacity = wanted;
      lean = 0;
    } else if (2 * wanted >= capacity) {
      lean = 0;
    }
    return capacity;
  }

 private:
  static constexpr int PATIENCE = 20;    // calls that waste half before a new compilation
  static constexpr double GROWING = 0.05;
  double fraction, deviations;
  int64_t capacity = 0;
  int lean = 0;

  int64_t roomy(int64_t n, double part) const
  {
    if (n < 1) n = 1;
    const double spare = std::fmax(part * double(n), deviations * std::sqrt(double(n)));
    return n + int64_t(spare);
  }
};

}    // namespace smax

#endif
