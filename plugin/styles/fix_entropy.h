/* -*- c++ -*- ----------------------------------------------------------
   fix entropy: minus the feature entropy of a dataset augmented by the
   present configuration, plus a soft core, as energy and forces.

     E   = -K N' [S(D+x) - S(D)] + sum_{i<j} A [1 + cos(pi r / (r_i + r_j))]

   (scale count; K is the keyword strength; scale constant leaves N' out)

   arXiv 2602.23489, Eqs. 3-5.
------------------------------------------------------------------------- */

#ifndef LMP_FIX_ENTROPY_H
#define LMP_FIX_ENTROPY_H

#include "fix.h"

#include <functional>
#include <memory>
#include <vector>

namespace smax {
class Bispectrum;
struct Dataset;
}    // namespace smax

namespace LAMMPS_NS {

class FixEntropy : public Fix {
 public:
  FixEntropy(class LAMMPS *, int, char **);
  ~FixEntropy() override;
  int setmask() override;
  void init() override;
  void init_list(int, class NeighList *) override;
  void setup_post_neighbor() override;
  void post_neighbor() override;
  void min_post_neighbor() override;
  void setup_pre_reverse(int, int) override;
  void pre_reverse(int, int) override;
  void min_pre_reverse(int, int) override;
  double compute_scalar() override;
  double compute_vector(int) override;
  int modify_param(int, char **) override;
  double memory_usage() override;

  void grow_arrays(int) override;
  void copy_arrays(int, int, int) override;
  void set_arrays(int) override;
  int pack_border(int, int *, double *) override;
  int unpack_border(int, int, double *) override;
  int pack_exchange(int, double *) override;
  int unpack_exchange(int, double *) override;
  int pack_restart(int, double *) override;
  void unpack_restart(int, int) override;
  int size_restart(int) override;
  int maxsize_restart() override;

  // for the commands of the greedy loop

  smax::Dataset &dataset() { return *data; }
  int ncoeff() const { return nfeat; }
  // where the entropy of D + x has no value: an error, or (the greedy loop) a wall of energy
  void set_tolerant(bool yes) { tolerant = yes; }
  enum class Term { Core, Features, Full };    // core only; core and features; everything
  void set_term(Term t) { term = t; }
  // what keyword entropy says; features are there for f_ID in either case
  void reset_term() { term = entropy_user ? Term::Full : Term::Features; }
  double *radii() { return radius; }    // [nlocal + nghost] Angstrom
  double *const *features() const
  {
    return array_atom;
  }    // [nlocal][ncoeff + 1] at the last evaluation
  double type_radius(int type) const { return rtype[type]; }
  int type_of_z(int z) const;    // 0 if no type stands for it
  int z_of_type(int type) const { return ztype[type]; }
  double min_ratio();       // smallest r / (r_i + r_j), images included; collective
  double min_distance();    // smallest r, Angstrom; collective
  double delta_entropy() const { return dS; }

  struct Tally {
    bigint evaluations = 0, atom_evaluations = 0;    // of features
    bigint at_accept = 0;                            // evaluations at the last entropy_accept
    double kernel = 0.0, reduce = 0.0;               // seconds on this rank
  };
  Tally tally;
  // called once per evaluation on every rank, so that a long minimisation still answers messages
  std::function<void()> poll;

 private:
  std::string dataset_name;
  std::shared_ptr<smax::Dataset> data;
  std::unique_ptr<smax::Bispectrum> kernel;
  int nfeat;
  bool entropy_user, count_scale, tolerant;
  Term term;
  double K, A;
  double rcutfac;
  double ghost_user, ghost_set;    // comm_modify cutoff as the user left it, as this fix set it
  std::vector<double> rtype;       // [ntypes + 1] default radius by type
  std::vector<int> ztype;          // [ntypes + 1]
  class NeighList *list;

  double longest;    // radius at init()
  double *radius;    // per-atom effective radius, owned and ghost
  int nmax_array;

  // pairs of the neighbour list that can come inside their own cutoff before it is built again

  struct Near {
    int j;
    double rsum;    // r_i + r_j
  };
  std::vector<int> near_first;
  std::vector<Near> nearby;

  // neighbours inside the descriptor cutoff, one row per owned atom

  std::vector<int> first, partner;
  std::vector<double> dx, dy, dz, rcut, gx, gy, gz;
  std::vector<double> b, beta, sums;
  double ratio_min, rsq_min;    // on this rank

  double energy, dS, core;

  void parse(int, char **);
  void attach_dataset(const struct FixEntropyArgs &);
  void set_types(const std::vector<std::string> &, const std::vector<double> &);
  void reserve_neighbours(double reach);
  void evaluate(int vflag);
  double gather_neighbours();
  double core_pair(const double *d, double rsq, double rsum, double *fi);
  void compute_features();
  void entropy_term();
  void apply_gradient();
};

}    // namespace LAMMPS_NS

#endif
