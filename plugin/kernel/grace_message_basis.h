// The basis of the second layer, A[lm][b][atom][n] = sum over neighbours of R_nl(r) Y_lm M_bn /
// average number, where M is what the neighbour's first layer told and, last, the indicator of its
// element; and the gradients of an energy by bonds and messages.

#ifndef SMAX_GRACE_MESSAGE_BASIS_H
#define SMAX_GRACE_MESSAGE_BASIS_H

#include "grace_bonds.h"

namespace smax {
namespace grace {

class MessageBasis {
 public:
  MessageBasis(const GraceModel &model, const Kernel &kernel);

  // messages: [row][functions told][channels], without padding; row[bond]
  void forward(const Batch &batch, const int *row, const double *messages, double *A);
  // After forward(); writes gx, gy, gz of the batch's columns, adds to dmessages.
  void backward(Batch &batch, const double *dA, const int *row, const double *messages,
                double *dmessages);
  double memory_usage() const;

 private:
  const Kernel &kernel;
  BondFunctions bonds;
  const int lmax, nlm, nb, used, nch, nhid, nr;    // nb: functions of M; nr: (lmax + 1) nch
  AlignedVector out, out_back;                     // [hidden][l, channel] in panels, and by rows
  AlignedVector indicator;                         // [element][channel]
  std::vector<double> inverse_neighbours;

  AlignedVector R;                // [column][l, channel]
  AlignedVector transposed, M;    // of a block: [column][hidden], [column][b][channel]
  AlignedVector dR, dM, dH, P;
  AlignedVector one;    // [lm][b][channel] of one atom

  Messages messages_of(const Batch &batch, const Slot &slot, const Block &block, const int *row,
                       const double *messages);
  void radial(const Block &block);
  void gather_sums(const Batch &batch, int atom, double *A);
  void take_gradient(const Batch &batch, int atom, const double *dA);
  void bond_gradient(Batch &batch, const Block &block);
};

}    // namespace grace
}    // namespace smax

#endif
