// Bonds of the neighbour list into a batch, and what the model makes of them back to the atoms.

#include "pair_grace_work.h"

#include "atom.h"
#include "neigh_list.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

using namespace LAMMPS_NS;

void PairGrace::gather_bonds(int first)
{
  Work &w = *work;
  w.batch.clear();
  w.centre.clear();
  w.far.clear();
  w.neighbour.clear();
  w.slot.assign(size_t(atom->nlocal + atom->nghost), -1);
  const int last = std::min(list->inum, first + chunk_size());
  for (int ii = first; ii < last; ii++) {
    const int i = list->ilist[ii];
    const int element = element_of[atom->type[i] - 1];
    if (element < 0) continue;
    w.slot[i] = int(w.centre.size());
    w.centre.push_back(i);
    w.batch.mu.push_back(element);
  }
  for (size_t c = 0; c < w.centre.size(); c++) gather_bonds_of(w.centre[c], int(c));
  number_neighbours();
}

void PairGrace::gather_bonds_of(int i, int centre)
{
  Work &w = *work;
  for_each_bond(i, [&](int j, const double *r) {
    w.batch.ind_i.push_back(centre);
    w.batch.mu_i.push_back(w.batch.mu[centre]);
    w.batch.mu_j.push_back(element_of[atom->type[j] - 1]);
    w.batch.r.insert(w.batch.r.end(), r, r + 3);
    w.neighbour.push_back(j);
  });
}

void PairGrace::number_neighbours()
{
  Work &w = *work;
  w.batch.ind_j.assign(w.neighbour.size(), -1);
  if (in_pieces() && !layered) return;    // one layer: it does not matter who the neighbour is
  for (size_t b = 0; b < w.neighbour.size(); b++) {
    const int j = layered ? w.neighbour[b] : w.owner[w.neighbour[b]];
    if (w.slot[j] < 0) {    // never on one rank: all owners are centres
      w.slot[j] = int(w.centre.size() + w.far.size());
      w.far.push_back(j);
      w.batch.far_mu.push_back(w.batch.mu_j[b]);
    }
    w.batch.ind_j[b] = w.slot[j];
  }
}

void PairGrace::spread_energies()
{
  const Work &w = *work;
  for (size_t c = 0; c < w.centre.size(); c++) {
    if (!std::isfinite(w.energy[c]))
      throw std::runtime_error(fmt::format("found energy {} of atom {} at step {}, expected a "
                                           "finite number",
                                           w.energy[c], atom->tag[w.centre[c]], update->ntimestep));
    tally_energy(w.centre[c], w.energy[c]);
  }
}

void PairGrace::spread_forces()
{
  const Work &w = *work;
  double **f = atom->f;
  bool finite = true;
  for (size_t b = 0; b < w.neighbour.size(); b++) {
    const double *on_j = &w.force[3 * b];
    const int i = w.centre[w.batch.ind_i[b]], j = w.neighbour[b];
    for (int k = 0; k < 3; k++) {
      finite = finite && std::isfinite(on_j[k]);
      f[j][k] += on_j[k];
      f[i][k] -= on_j[k];
    }
    if (vflag_either) tally_bond(i, j, &w.batch.r[3 * b], on_j);
  }
  if (!finite)
    throw std::runtime_error(
        fmt::format("found a force that is no finite number at step {}", update->ntimestep));
}
