// Arrays of one step of pair_style grace, shared by its parts.

#ifndef SMAX_PAIR_GRACE_WORK_H
#define SMAX_PAIR_GRACE_WORK_H

#include "pair_grace.h"

#include "grace_calls.h"

#include <vector>

namespace LAMMPS_NS {

struct PairGrace::Work {
  smax::BondBatch batch;
  std::vector<int> centre;       // [centre of the batch] index of LAMMPS
  std::vector<int> far;          // [far atom of the batch] index of LAMMPS
  std::vector<int> neighbour;    // [bond] index of LAMMPS, ghosts as ghosts
  std::vector<int> slot;         // [atom, ghosts too] index in the batch, -1 if it is not there
  std::vector<int> owner;        // [atom, ghosts too] local index of its owner (one rank only)
  std::vector<double> energy, force;    // of the batch

  // Messages [message][atom, ghosts too if far][width] and the gradient of the energy by them
  std::vector<std::vector<double>> value, gradient;
  std::vector<std::vector<double>> part_value, part_gradient;    // those of the batch
  bool send_owners = false;    // what forward communication carries
  std::string trouble;         // first failure of this rank in this step
};

}    // namespace LAMMPS_NS

#endif
