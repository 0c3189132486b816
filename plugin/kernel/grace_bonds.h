// Functions of single bonds of one layer: the hidden layers of the radial perceptron H and their
// derivatives by u = d / cutoff, real harmonics Y; and the gradient of a bond.

#ifndef SMAX_GRACE_BONDS_H
#define SMAX_GRACE_BONDS_H

#include "grace_batch.h"
#include "grace_kernel.h"
#include "grace_model.h"

namespace smax {
namespace grace {

class BondFunctions {
 public:
  BondFunctions(const GraceModel &model, const GraceLayer &layer, const Kernel &kernel);

  int hidden() const { return nhid; }    // padded
  int functions() const { return nlm; }

  // Room for all columns of a batch. Without derivatives, gradient() must not be asked for.
  void begin(const Batch &batch, bool derivatives);
  void evaluate(const Batch &batch, const Block &block);
  // Of a block: [hidden][2 ncol], values and derivatives; [lm][ncol]
  const double *H(const Block &block) const { return h.data() + size_t(nhid) * 2 * block.column; }
  const double *Y(const Block &block) const { return y_lm.data() + size_t(nlm) * block.column; }
  // Writes gx, gy, gz of the block's columns. P[lm][2 ncol]: dE/dY, then what Y is to be multiplied
  // by, summed over lm, to give dE/du.
  void gradient(Batch &batch, const Block &block, const double *P);
  double memory_usage() const;

 private:
  const Kernel &kernel;
  int lmax, nlm, nbasis, power, nhid;
  bool with_derivatives = true;
  std::vector<double> recursion;
  std::vector<int> widths;              // padded
  std::vector<AlignedVector> layers;    // transposed: [n_out][n_in]
  AlignedVector d, x, y, z;             // [ncol]
  AlignedVector even, odd;              // layers of one block
  AlignedVector h, y_lm;

  Columns columns(const Batch &batch, const Block &block);
  void radial(const Columns &c, double *H);
};

}    // namespace grace
}    // namespace smax

#endif
