// The energy of an atom from the densities of its layers, and its gradient by them.

#ifndef SMAX_GRACE_READOUT_H
#define SMAX_GRACE_READOUT_H

#include "grace_batch.h"
#include "grace_kernel.h"
#include "grace_model.h"

namespace smax {
namespace grace {

class Readout {
 public:
  Readout(const GraceModel &model, const Kernel &kernel);

  int densities() const { return nrho; }
  int stride() const { return nrho_pad; }

  // rho[layer][atom * stride() + density]; energy[batch.natoms] and drho, laid out as rho, are
  // overwritten. A drho may be its rho.
  void evaluate(const Batch &batch, const double *const *rho, double *energy, double *const *drho);

 private:
  const Kernel &kernel;
  int nlayer, nrho, nrho_pad, nhid;
  bool tanh;
  AlignedVector energy_in, energy_back, energy_out;    // [density][hidden], [..][..], [hidden]
  std::vector<std::vector<double>> norm;               // [layer]
  double scale;
  std::vector<double> shift;
  AlignedVector sum, dsum, hidden, slope;

  void add_normalised(int layer, const double *rho, double *to) const;
  void back_normalised(int layer, const double *rho, const double *g, double *drho) const;
};

}    // namespace grace
}    // namespace smax

#endif
