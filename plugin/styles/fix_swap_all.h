/* -*- c++ -*- ----------------------------------------------------------
   fix swap/all: Metropolis Monte Carlo during dynamics. Exchanges of the
   types of two atoms, over all pairs of the types named, and displacements
   of atoms, in batches that cost one evaluation each.

   N. Metropolis et al., J. Chem. Phys. 21, 1087 (1953), doi:10.1063/1.1699114.
   Why a batch keeps detailed balance: kernel/mc_moves.h.
------------------------------------------------------------------------- */

#ifndef LMP_FIX_SWAP_ALL_H
#define LMP_FIX_SWAP_ALL_H

#include "fix.h"

#include "mc_moves.h"

#include <array>
#include <map>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class FixSwapAll : public Fix {
 public:
  FixSwapAll(class LAMMPS *, int, char **);
  ~FixSwapAll() override;
  int setmask() override;
  void init() override;
  void pre_exchange() override;
  void post_force(int) override;
  void post_run() override;
  double compute_scalar() override;
  double compute_vector(int) override;
  double compute_array(int, int) override;
  void write_restart(FILE *) override;
  void restart(char *) override;
  double memory_usage() override;

  void grow_arrays(int) override;
  void copy_arrays(int, int, int) override;
  void set_arrays(int) override;
  int pack_exchange(int, double *) override;
  int unpack_exchange(int, double *) override;
  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;

 private:
  // as given
  int nmoves, batch_user;
  bigint seed;
  double temperature;              // if temperature_name is empty
  std::string temperature_name;    // of an equal-style variable
  double range_user;               // 0: twice the cutoff
  bool keep_ke;
  smax::McMoveKinds kinds;

  // rows of the array: pairs of types, then displaced types (both numbers the same)
  struct Row {
    int a, b;
    bigint tried, taken;
  };
  std::vector<Row> rows;
  bigint calls, evaluations;    // Monte Carlo stages since the fix began, energies computed
  double gained;                // energy, sum of accepted differences
  double mismatch;              // largest |tracked - recomputed| energy so far
  double reach;                 // largest distance at which an energy changed

  // of this run
  double kT, range;
  int batch;
  bool relist;     // lists depend on types: build them again after each exchange
  bool caching;    // it is not known yet whether the pair style looks at types between builds
  int probes;
  std::vector<Fix *> energy_fixes;    // fix_modify energy yes

  // of this stage
  smax::McMoves moves;
  std::vector<imageint> image;    // [particles]
  std::vector<double> charge;     // [particles], empty without charges
  std::vector<int> owned;         // [particles] index here, -1: another rank's
  struct Shift {
    std::array<double, 3> built, now;    // position in the lists, position
  };
  std::map<int, Shift> shifted;    // particles displaced since the lists were built
  bool types_changed;              // since ghosts and lists heard of them
  double energy, pair_energy;      // of the accepted state
  double *stored;                  // [nmax] per-atom energies of the accepted state
  std::vector<double> trial;       // [nlocal + nghost] of the state that was evaluated last
  int tried_now;                   // moves
  bigint check_step;               // post_force compares there

  void parse(int, char **);
  void refuse_hosts();
  void find_temperature();
  void rebuild(bool box_may_change);
  void gather();
  void locate();
  void check_layout();
  void start();
  void attempt(const std::vector<smax::McMove> &);
  void apply(smax::McMove &, imageint &);
  void undo(const smax::McMove &);
  void keep(const smax::McMove &, imageint);
  void set_type(int particle, int type, double q);
  void put(int particle, const double *from, const double *to, imageint);
  void communicate();
  void probe(double before, double &total);
  double evaluate();
  void local_differences(const std::vector<smax::McMove> &, std::vector<int> &region,
                         std::vector<double> &dE);
  Row &row_of(const smax::McMove &);
};

}    // namespace LAMMPS_NS

#endif
