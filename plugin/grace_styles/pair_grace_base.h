// What pair styles of GRACE models share: elements of the atom types, cutoffs, reference energies,
// conditions on the run, and failures told by all ranks at once. The style itself reads its model
// and computes.

#ifndef SMAX_PAIR_GRACE_BASE_H
#define SMAX_PAIR_GRACE_BASE_H

#include "grace_model_folder.h"

#include "atom.h"
#include "neigh_list.h"
#include "pair.h"

#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class PairGraceBase : public Pair {
 public:
  PairGraceBase(LAMMPS *lmp, std::string style_name);
  ~PairGraceBase() override;
  void coeff(int narg, char **arg) override;    // * * model element ...
  void init_style() override;
  double init_one(int i, int j) override;

 protected:
  // All three may throw, on some ranks only; no communication.
  virtual smax::GraceMetadata read_metadata(const std::string &path) const
  {
    return smax::read_grace_metadata(path);
  }
  virtual std::vector<double> read_references(const std::string &path) const
  {
    return smax::read_grace_references(path, meta.elements);
  }
  virtual void open_model(const std::string &path) = 0;    // meta is read, types are mapped

  // Runs on every rank; if it throws on any, all ranks end with the words of the first of them.
  void together(const std::function<void()> &work) const;
  void tally_energy(int i, double energy);    // adds the reference energy, tallies both
  // Bond of centre i and neighbour j: r = x_j - x_i, f the force on j that is taken from i
  void tally_bond(int i, int j, const double *r, const double *f);
  // take(j, r) for each neighbour j within the cutoff of its pair with i, r = x_j - x_i
  template <class Take> void for_each_bond(int i, Take &&take) const;

  std::string style_name;
  std::string model_path;
  bool use_references = false;
  smax::GraceMetadata meta;
  // [type - 1], -1: neither centre nor neighbour; empty: a pair_coeff must follow
  std::vector<int> element_of;
  std::vector<double> references;    // [element] eV, empty if not used
  std::vector<double> type_cutsq;    // [centre type - 1][neighbour type - 1], 0 if either is NULL

 private:
  void allocate();
  void read_coeff(int narg, char **arg);
  void check_run() const;    // units and newton, which are fixed before a pair_coeff
  void set_types(const std::vector<std::string> &words);
  [[noreturn]] void fail_position(int i, int j) const;
};

template <class Take> void PairGraceBase::for_each_bond(int i, Take &&take) const
{
  const double *const *x = atom->x;
  const int *type = atom->type;
  const double *cutsq = &type_cutsq[size_t(type[i] - 1) * atom->ntypes];
  for (int jj = 0; jj < list->numneigh[i]; jj++) {
    const int j = list->firstneigh[i][jj] & NEIGHMASK;
    const double r[3] = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
    const double rsq = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
    if (!std::isfinite(rsq)) fail_position(i, j);
    if (rsq < cutsq[type[j] - 1]) take(j, r);
  }
}

}    // namespace LAMMPS_NS

#endif
