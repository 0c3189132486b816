// Energies and bond gradients of GRACE models of one or two layers. No LAMMPS, no MPI.
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
// zero. The caller owns every array. The rows are of the arrays that two-layer models pass between
// atoms; one-layer models do not ask for them.
struct GraceBonds {
  int natoms = 0;
  const int *element = nullptr;      // [natoms], into GraceModel::elements
  const int *first = nullptr;        // [natoms + 1]
  const int *neighbour = nullptr;    // [nbonds] element of the neighbour
  const double *dx = nullptr;        // [nbonds] each
  const double *dy = nullptr;
  const double *dz = nullptr;
  const int *row = nullptr;              // [natoms] of the atom
  const int *neighbour_row = nullptr;    // [nbonds] of the neighbour
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
  int layers() const;

  // Of a one-layer model: energy[natoms] (eV) and gx, gy, gz[nbonds] = dE_i/d(r_j - r_i), all
  // overwritten.
  void evaluate(const GraceBonds &bonds, double *energy, double *gx, double *gy, double *gz);

  // Of a two-layer model, in this order; rows of other atoms are filled in between by the caller.
  // messages[rows][message_size()] and densities[rows][density_size()]: rows of the atoms are
  // overwritten.
  void tell(const GraceBonds &bonds, double *messages, double *densities);
  // energy, gx, gy, gz and rows of ddensities are overwritten; dE/dmessage is added to rows of the
  // neighbours.
  void hear(const GraceBonds &bonds, const double *messages, const double *densities,
            double *energy, double *gx, double *gy, double *gz, double *dmessages,
            double *ddensities);
  // What gx, gy, gz lack: the gradient through messages and densities of these atoms; overwritten.
  void trace(const GraceBonds &bonds, const double *dmessages, const double *ddensities, double *gx,
             double *gy, double *gz);
  int message_size() const;    // 0 of a one-layer model
  int density_size() const;

  double memory_usage() const;    // bytes

 private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

}    // namespace smax

#endif
