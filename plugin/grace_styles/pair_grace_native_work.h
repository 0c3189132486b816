// The model and arrays of one step of pair_style grace/native, shared by its parts.

#ifndef SMAX_PAIR_GRACE_NATIVE_WORK_H
#define SMAX_PAIR_GRACE_NATIVE_WORK_H

#include "pair_grace_native.h"

#include "grace.h"

#include <vector>

namespace LAMMPS_NS {

struct PairGraceNative::Work {
  smax::GraceModel model;    // until the evaluator has it
  std::unique_ptr<smax::GraceEvaluator> evaluator;

  // Bonds of some centres; atoms as LAMMPS numbers them, ghosts as ghosts
  std::vector<int> centre, element, first, neighbour_atom, neighbour;
  std::vector<double> dx, dy, dz, gx, gy, gz, energy;

  // Of two-layer models: [atom, ghosts too][message_size()], [local atom][density_size()], and the
  // gradients of the energy by them
  std::vector<double> message, density, dmessage, ddensity;

  void clear()
  {
    for (auto *v : {&centre, &element, &neighbour_atom, &neighbour}) v->clear();
    for (auto *v : {&dx, &dy, &dz}) v->clear();
    first.assign(1, 0);
  }
  void make_room()    // for results
  {
    energy.resize(centre.size());
    for (auto *g : {&gx, &gy, &gz}) g->resize(dx.size());
  }
  smax::GraceBonds bonds() const
  {
    return {int(centre.size()), element.data(), first.data(),  neighbour.data(),     dx.data(),
            dy.data(),          dz.data(),      centre.data(), neighbour_atom.data()};
  }
};

}    // namespace LAMMPS_NS

#endif
