// The basis of the first layer, A[lm][atom][n] = sum over neighbours of R_nl(r) Y_lm z_n / average
// number, and the gradient of an energy by its bonds.
//
// The last layer of R is linear, so it is applied after the sum over the neighbours of one element:
// B[lm][h] = sum of Y_lm H_h(r), then A += z_n W_l[h][n] B. H and dH/dr are kept per bond.

#ifndef SMAX_GRACE_BASIS_H
#define SMAX_GRACE_BASIS_H

#include "grace_bonds.h"

namespace smax {
namespace grace {

class Basis {
 public:
  Basis(const GraceModel &model, const Kernel &kernel);

  // derivatives: backward() follows
  void forward(const Batch &batch, double *A, bool derivatives);
  // Writes gx, gy, gz of the batch's columns.
  void backward(Batch &batch, const double *dA);
  double memory_usage() const;

 private:
  const Kernel &kernel;
  BondFunctions bonds;
  int ne, lmax, nlm, nch, nhid;    // nch, nhid padded
  AlignedVector out, out_back;     // [l][hidden][channel], [l][channel][hidden]; panels
  AlignedVector weight;            // [centre][neighbour][channel]

  AlignedVector P;              // of a block: [lm][2 ncol]
  AlignedVector sums, mixed;    // [lm][slot][hidden], [lm][slot][channel]
  std::vector<int> slot_atom;
  std::vector<const double *> slot_weight;

  Slots slots(const Batch &batch);
};

}    // namespace grace
}    // namespace smax

#endif
