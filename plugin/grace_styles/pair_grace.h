// pair_style grace [keyword value ...]
// pair_coeff * * path/to/saved_model element ...
//
// Energy and forces of a GRACE model, evaluated by TensorFlow. One-layer and FS models see a
// centre and its neighbours alone. In two-layer models each atom tells its neighbours what the
// first layer made of its surroundings: on one rank a periodic image speaks for its owner; on
// several (or in chunks) the layers are called one by one, and LAMMPS carries the messages to
// ghosts and their gradients back. `compute pair` gives, summed over ranks: 1 seconds in
// TensorFlow, 2 compilations so far.

#ifndef SMAX_PAIR_GRACE_H
#define SMAX_PAIR_GRACE_H

#include "pair_grace_base.h"

#include <memory>

namespace smax {
struct BondBatch;
class GraceCalls;
}    // namespace smax

namespace LAMMPS_NS {

class PairGrace : public PairGraceBase {
 public:
  explicit PairGrace(LAMMPS *lmp);
  ~PairGrace() override;
  void settings(int narg, char **arg) override;
  void init_style() override;
  void compute(int eflag, int vflag) override;
  double memory_usage() override;

  int pack_forward_comm(int n, int *atoms, double *buf, int pbc_flag, int *pbc) override;
  void unpack_forward_comm(int n, int first, double *buf) override;
  int pack_reverse_comm(int n, int first, double *buf) override;
  void unpack_reverse_comm(int n, int *atoms, double *buf) override;

 protected:
  void open_model(const std::string &path) override;

 private:
  struct Work;    // arrays of one step
  std::unique_ptr<Work> work;
  std::shared_ptr<smax::GraceCalls> calls;
  int threads = 0;    // of TensorFlow; 0: OMP_NUM_THREADS
  int chunk = 0;      // centres a call; 0: all
  bool layered = false, probed = false;
  double statistics[2] = {0.0, 0.0};    // seconds in TensorFlow, compilations

  bool in_pieces() const;
  void compute_whole();
  void compute_layered();
  void forward_layer_1(int first);
  void backward_layer_2(int first);
  void backward_layer_1(int first);
  void find_owners();
  void probe();
  // Batch of centres first ... first + chunk of the neighbour list
  void gather_bonds(int first);
  void gather_bonds_of(int i, int centre);
  void number_neighbours();
  void spread_forces();
  void spread_energies();
  int chunk_size() const;
};

}    // namespace LAMMPS_NS

#endif
