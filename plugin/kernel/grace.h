// Energies and bond gradients of one-layer GRACE models. No LAMMPS, no MPI.
//
// A. Bochkarev, Y. Lysogorskiy, R. Drautz, Phys. Rev. X 14, 021036 (2024),
// doi:10.1103/PhysRevX.14.021036. Reverse mode by hand; only the radial functions, of one number
// each, carry their derivative forward.

#ifndef SMAX_GRACE_H
#define SMAX_GRACE_H

#include "bispectrum.h"
#include "grace_model.h"

#include <memory>

namespace smax {

// Bonds of natoms atoms, in compressed rows: first[i]..first[i+1]-1 belong to atom i.
// dx, dy, dz: r_j - r_i (Angstrom). A bond not shorter than the cutoff of its pair adds exactly
// zero. The caller owns every array.
struct GraceBonds {
  int natoms = 0;
  const int *element = nullptr;      // [natoms], into GraceModel::elements
  const int *first = nullptr;        // [natoms + 1]
  const int *neighbour = nullptr;    // [nbonds] element of the neighbour
  const double *dx = nullptr;        // [nbonds] each
  const double *dy = nullptr;
  const double *dz = nullptr;
};

class GraceEvaluator {
 public:
  // Throws std::runtime_error for a model that does not fit together, std::invalid_argument for a
  // level that this processor lacks. `batch`: atoms that share one pass over the weights.
  explicit GraceEvaluator(const GraceModel &model, Isa isa = Isa::Auto, int batch = 8);
  ~GraceEvaluator();
  GraceEvaluator(const GraceEvaluator &) = delete;
  GraceEvaluator &operator=(const GraceEvaluator &) = delete;

  Isa isa() const;    // level in use, never Auto

  // energy[natoms] (eV) and gx, gy, gz[nbonds] = dE_i/d(r_j - r_i), all overwritten.
  void evaluate(const GraceBonds &bonds, double *energy, double *gx, double *gy, double *gz);

  double memory_usage() const;    // bytes

 private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

}    // namespace smax

#endif
