// A few atoms that are evaluated together, and the columns (vector lanes) of their bonds.

#ifndef SMAX_GRACE_BATCH_H
#define SMAX_GRACE_BATCH_H

#include "grace_kernel.h"
#include "linalg.h"

#include <vector>

namespace smax {
namespace grace {

// b[n][k], k a multiple of width, to the panels of Kernel::multiply.
inline void pack(const double *b, int n, int k, int width, double *to)
{
  for (int j = 0, w; j < k; j += w) {
    w = j + 2 * width <= k ? 2 * width : width;
    for (int i = 0; i < n; i++)
      for (int c = 0; c < w; c++) *to++ = b[size_t(i) * k + j + c];
  }
}

inline void pack_in_place(AlignedVector &b, size_t at, int n, int k, int width)
{
  const std::vector<double> copy(b.begin() + at, b.begin() + at + size_t(n) * k);
  pack(copy.data(), n, k, width, b.data() + at);
}

// At least n doubles, values undefined; keeps its room.
inline double *room(AlignedVector &v, size_t n)
{
  if (v.size() < n) {
    v.clear();
    v.resize(n + n / 4 + 8);
  }
  return v.data();
}

// An atom and one element of its neighbours: blocks first..last - 1.
struct Slot {
  int atom, element, first, last;
};

// Bonds of one slot fill ncol columns from `column`; unused lanes hold a bond longer than its
// cutoff.
struct Block {
  int column, ncol;
};

struct Batch {
  int natoms = 0;
  std::vector<int> atom;       // [natoms] as the caller counts them, sorted by element
  std::vector<int> element;    // [natoms]
  std::vector<Slot> slots;
  std::vector<Block> blocks;
  std::vector<int> bond;                         // [ncol] as the caller counts them, or -1
  AlignedVector dx, dy, dz, rcut, gx, gy, gz;    // [ncol]

  int ncol() const { return int(bond.size()); }
};

}    // namespace grace
}    // namespace smax

#endif
