// Repulsion of nuclei as GRACE models add it: half of a Ziegler-Biersack-Littmark pair energy to
// each centre, with a polynomial that takes it to zero, with two derivatives, at the cutoff.

#ifndef SMAX_GRACE_ZBL_H
#define SMAX_GRACE_ZBL_H

#include "grace.h"

#include <vector>

namespace smax {
namespace grace {

class Zbl {
 public:
  explicit Zbl(const GraceModel &model);
  void add(const GraceBonds &bonds, double *energy, double *gx, double *gy, double *gz) const;

 private:
  struct Pair {
    double cutoff = 0.0, inner = 0.0, a = 1.0, charge = 0.0;    // charge: e^2 Z Z / 2, eV Angstrom
    double A = 0.0, B = 0.0, C = 0.0;
  };
  int ne;
  std::vector<Pair> pairs;    // empty: nothing to add
};

}    // namespace grace
}    // namespace smax

#endif
