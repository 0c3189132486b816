// Base class of minimisers. The wheel's headers leave out min.h and fix_minimize.h, so the
// interface of the one version that the plugin accepts (host_check.h) is declared here; a LAMMPS
// source tree brings its own.

#ifndef SMAX_LAMMPS_MIN_API_H
#define SMAX_LAMMPS_MIN_API_H

#include "pointers.h"

#if __has_include("min.h")
#include "fix_minimize.h"
#include "min.h"
#else

namespace LAMMPS_NS {

class FixMinimize {    // only through a pointer that LAMMPS made
 public:
  void add_vector(int);
  double *request_vector(int);
  void store_box();
  void reset_coords();
};

class Min : protected Pointers {
 public:
  double einitial, efinal, eprevious;
  double fnorm2_init, fnorminf_init, fnorm2_final, fnorminf_final;
  double alpha_final;
  int niter, neval;
  int stop_condition;
  char *stopstr;
  int searchflag;

  Min(class LAMMPS *);
  ~Min() override;
  virtual void init();
  virtual void setup(int flag = 1);
  virtual void setup_minimal(int);
  virtual void run(int);
  virtual void force_clear();
  virtual double memory_usage() { return 0; }
  virtual int modify_param(int, char **) { return 0; }
  virtual double fnorm_sqr();
  virtual double fnorm_inf();
  virtual double fnorm_max();
  virtual void init_style() {}
  virtual void setup_style() = 0;
  virtual void reset_vectors() = 0;
  virtual int iterate(int) = 0;

  enum { TWO, MAX, INF };
  enum { MAXITER, MAXEVAL, ETOL, FTOL, DOWNHILL, ZEROALPHA, ZEROFORCE, ZEROQUAD };

 protected:
  int eflag, vflag;
  int virial_style;
  int external_force_clear;
  double dmax;
  int linestyle, normstyle;
  double dtinit;
  int delaystep;
  double dtgrow, dtshrink, alpha0, alphashrink, tmax, tmin;
  int integrator, halfstepback_flag, delaystep_start_flag, max_vdotf_negatif, abcflag;
  std::vector<class Compute *> elist_global, elist_atom, vlist_global, vlist_atom, cvlist_atom;
  int triclinic, pairflag, torqueflag, extraflag;
  int pair_compute_flag, kspace_compute_flag;
  int narray;
  FixMinimize *fix_minimize;
  class Compute *pe_compute;
  double ecurrent;
  bigint ndoftotal;
  int nvec;
  double *xvec, *fvec;
  int nextra_global;
  double *fextra;
  int nextra_atom;
  double **xextra_atom, **fextra_atom;
  int *extra_peratom, *extra_nlen;
  double *extra_max;
  class Pair **requestor;
  int kokkosable;
  int neigh_every, neigh_delay, neigh_dist_check;

  virtual double energy_force(int);
};

}    // namespace LAMMPS_NS

#endif
#endif
