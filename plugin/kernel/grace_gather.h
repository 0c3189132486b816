// Bonds of a caller, cut into batches of atoms of like elements, and into blocks of columns.

#ifndef SMAX_GRACE_GATHER_H
#define SMAX_GRACE_GATHER_H

#include "grace.h"
#include "grace_batch.h"

namespace smax {
namespace grace {

class Gather {
 public:
  // width: lanes of a vector, most: atoms of a batch
  Gather(const GraceModel &model, int width, int most);

  void begin(const GraceBonds &bonds);
  bool next(const GraceBonds &bonds, Batch &batch);    // false: no atoms are left

 private:
  const int width, most, ne;
  const std::vector<double> cutoff;
  int at = 0;
  std::vector<int> order;
  std::vector<std::vector<int>> by_element;    // bonds of one atom

  void add_atom(const GraceBonds &bonds, Batch &batch, int i);
  void add_slot(const GraceBonds &bonds, Batch &batch, int atom, int element);
};

// Gradients of the batch's columns to the caller's bonds
inline void spread_gradient(const Batch &b, double *gx, double *gy, double *gz)
{
  for (int c = 0; c < b.ncol(); c++) {
    const int k = b.bond[c];
    if (k < 0) continue;
    gx[k] = b.gx[c];
    gy[k] = b.gy[c];
    gz[k] = b.gz[c];
  }
}

}    // namespace grace
}    // namespace smax

#endif
