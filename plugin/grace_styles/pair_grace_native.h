// pair_style grace/native [isa auto|plain|avx2|avx512] [references yes|no]
// pair_coeff * * path/to/model_folder element ...       (or the path of its native.npz)
//
// Energy and forces of a GRACE model of one or two layers, evaluated by the plugin itself
// (kernel/grace.h).

#ifndef SMAX_PAIR_GRACE_NATIVE_H
#define SMAX_PAIR_GRACE_NATIVE_H

#include "pair_grace_base.h"

#include <memory>

namespace LAMMPS_NS {

class PairGraceNative : public PairGraceBase {
 public:
  explicit PairGraceNative(LAMMPS *lmp);
  ~PairGraceNative() override;
  void settings(int narg, char **arg) override;
  void init_style() override;
  void compute(int eflag, int vflag) override;
  double memory_usage() override;

  int pack_forward_comm(int n, int *atoms, double *buf, int pbc_flag, int *pbc) override;
  void unpack_forward_comm(int n, int first, double *buf) override;
  int pack_reverse_comm(int n, int first, double *buf) override;
  void unpack_reverse_comm(int n, int *atoms, double *buf) override;

 protected:
  smax::GraceMetadata read_metadata(const std::string &path) const override;
  std::vector<double> read_references(const std::string &path) const override;
  void open_model(const std::string &path) override;

 private:
  struct Work;    // the model and the bonds of some atoms
  std::unique_ptr<Work> work;
  std::string isa = "auto";

  void compute_own();             // of one layer
  void compute_layers();          // of two
  int gather_bonds(int first);    // the list entry after the last centre
  void gather_bonds_of(int i);
  void spread_energies();
  void spread_forces();
  [[noreturn]] void fail_number(int i) const;
};

}    // namespace LAMMPS_NS

#endif
