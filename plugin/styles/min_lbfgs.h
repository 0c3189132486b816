/* -*- c++ -*- ----------------------------------------------------------
   min_style lbfgs: limited-memory BFGS, one evaluation per accepted step.
   J. Nocedal, Math. Comput. 35, 773 (1980), doi:10.1090/S0025-5718-1980-0572855-7.
------------------------------------------------------------------------- */

#ifndef LMP_MIN_LBFGS_H
#define LMP_MIN_LBFGS_H

#include "lammps_min_api.h"

#include <vector>

namespace LAMMPS_NS {

class MinLBFGS : public Min {
 public:
  explicit MinLBFGS(class LAMMPS *);
  void init() override;
  void setup_style() override;
  void reset_vectors() override;
  int iterate(int) override;

 private:
  static constexpr int MEMORY = 12;    // pairs kept
  // per-atom vectors that migrate with the atoms; x0 must be the first (FixMinimize::reset_coords)
  double *x0, *f0, *d, *s[MEMORY], *y[MEMORY];
  double rho[MEMORY];
  int npairs, newest;

  double dot(const double *, const double *) const;
  void direction();
  double limit_step();
  bool step(double slope);
  void remember();
  bool converged();
};

}    // namespace LAMMPS_NS

#endif
