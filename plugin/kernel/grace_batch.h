// A few atoms that are evaluated together, and the columns (vector lanes) of their bonds.

#ifndef SMAX_GRACE_BATCH_H
#define SMAX_GRACE_BATCH_H

#include "linalg.h"

#include <vector>

namespace smax {
namespace grace {

// At least n doubles, values undefined; keeps its room.
inline double *room(AlignedVector &v, size_t n)
{
  if (v.size() < n) {
    v.clear();
    v.resize(n + n / 4 + 8);
  }
  return v.data();
}

// Bonds of one atom to one element fill ncol columns from `column`; unused lanes hold a bond
// longer than its cutoff.
struct Slot {
  int atom, element, column, ncol;
};

struct Batch {
  int natoms = 0;
  std::vector<int> atom;       // [natoms] as the caller counts them, sorted by element
  std::vector<int> element;    // [natoms]
  std::vector<Slot> slots;
  std::vector<int> column;    // [natoms + 1]
  std::vector<int> bond;      // [ncol] as the caller counts them, or -1
  AlignedVector dx, dy, dz, rcut, gx, gy, gz;    // [ncol]

  int ncol() const { return column[natoms]; }
};

}    // namespace grace
}    // namespace smax

#endif
