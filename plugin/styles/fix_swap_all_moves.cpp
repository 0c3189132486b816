// fix swap/all: one stage of Monte Carlo, from lists of the present positions to the accepted
// state.

#include "fix_swap_all.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "kspace.h"
#include "modify.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

using namespace LAMMPS_NS;
using namespace smax;

namespace {
struct Record {    // an atom as its rank sends it
  McParticle particle;
  imageint image;
  double q;
};
}    // namespace

/* ----------------------------------------------------------------------
   atoms to their ranks, ghosts, lists: as the integrator does, but for sorting
------------------------------------------------------------------------- */

void FixSwapAll::rebuild(bool box_may_change)
{
  if (domain->triclinic) domain->x2lamda(atom->nlocal);
  domain->pbc();
  if (box_may_change && domain->box_change) {
    domain->reset_box();
    comm->setup();
    if (neighbor->style) neighbor->setup_bins();
  }
  comm->exchange();
  comm->borders();
  if (domain->triclinic) domain->lamda2x(atom->nlocal + atom->nghost);
  if (modify->n_pre_neighbor) modify->pre_neighbor();
  neighbor->build(1);
  if (modify->n_post_neighbor) modify->post_neighbor();
  shifted.clear();
  types_changed = false;
}

// Every rank gets all atoms of the group and types, by ID.

void FixSwapAll::gather()
{
  std::vector<char> wanted(atom->ntypes + 1, 0);
  for (int t : kinds.swap) wanted[t] = 1;
  for (int t : kinds.displace) wanted[t] = 1;
  std::vector<Record> mine, all;
  for (int i = 0; i < atom->nlocal; i++) {
    if (!(atom->mask[i] & groupbit) || !wanted[atom->type[i]]) continue;
    Record r{};
    r.particle.tag = atom->tag[i];
    r.particle.type = atom->type[i];
    std::copy(atom->x[i], atom->x[i] + 3, r.particle.x);
    r.image = atom->image[i];
    r.q = atom->q_flag ? atom->q[i] : 0.0;
    mine.push_back(r);
  }

  MPI_Datatype record;
  MPI_Type_contiguous(sizeof(Record), MPI_BYTE, &record);
  MPI_Type_commit(&record);
  const int n = int(mine.size());
  std::vector<int> count(comm->nprocs), start(comm->nprocs + 1, 0);
  MPI_Allgather(&n, 1, MPI_INT, count.data(), 1, MPI_INT, world);
  for (int p = 0; p < comm->nprocs; p++) start[p + 1] = start[p] + count[p];
  all.resize(start.back());
  MPI_Allgatherv(mine.data(), n, record, all.data(), count.data(), start.data(), record, world);
  MPI_Type_free(&record);

  std::sort(all.begin(), all.end(),
            [](const Record &a, const Record &b) { return a.particle.tag < b.particle.tag; });
  std::vector<McParticle> particles(all.size());
  image.resize(all.size());
  charge.resize(all.size());
  for (size_t k = 0; k < all.size(); k++) {
    particles[k] = all[k].particle;
    image[k] = all[k].image;
    charge[k] = all[k].q;
    if (k > 0 && all[k].particle.tag == all[k - 1].particle.tag)
      error->all(FLERR, "fix swap/all: two atoms have ID {}, expected unique IDs",
                 all[k].particle.tag);
  }

  McBox box{};
  for (int k = 0; k < 3; k++) {
    box.lo[k] = domain->boxlo[k];
    box.h[k] = domain->prd[k];
    box.periodic[k] = domain->periodicity[k] != 0;
  }
  if (domain->triclinic) {
    box.h[3] = domain->yz;
    box.h[4] = domain->xz;
    box.h[5] = domain->xy;
  }
  box.dimension = domain->dimension;
  try {
    moves = McMoves(kinds, box, std::move(particles));
  } catch (std::invalid_argument &e) {
    error->all(FLERR, "fix swap/all: {}", e.what());
  }
  locate();
}

void FixSwapAll::locate()
{
  const auto &particles = moves.particles();
  owned.assign(particles.size(), -1);
  for (int i = 0; i < atom->nlocal; i++) {
    const auto at =
        std::lower_bound(particles.begin(), particles.end(), std::int64_t(atom->tag[i]),
                         [](const McParticle &p, std::int64_t tag) { return p.tag < tag; });
    if (at != particles.end() && at->tag == atom->tag[i]) owned[at - particles.begin()] = i;
  }
}

// What can only be checked once boxes and lists are there.

void FixSwapAll::check_layout()
{
  if (!relist) {    // not known before the first lists are there
    for (size_t k = 1; k < kinds.swap.size(); k++)
      for (int t = 1; t <= atom->ntypes; t++)
        if (neighbor->cutneighsq[kinds.swap[0]][t] != neighbor->cutneighsq[kinds.swap[k]][t])
          relist = true;
  }
  if (kinds.displace.empty() || comm->nprocs == 1) return;
  double mine = std::numeric_limits<double>::max(), least;
  for (int k = 0; k < domain->dimension; k++)
    if (comm->procgrid[k] > 1)
      mine = MIN(mine, domain->triclinic
                           ? (domain->subhi_lamda[k] - domain->sublo_lamda[k]) * domain->prd[k]
                           : domain->subhi[k] - domain->sublo[k]);
  MPI_Allreduce(&mine, &least, 1, MPI_DOUBLE, MPI_MIN, world);
  if (kinds.dmax > 0.5 * least)
    error->all(FLERR,
               "fix swap/all displace: found {}, expected at most half the smallest sub-domain "
               "of a rank, {}; use fewer ranks",
               kinds.dmax, 0.5 * least);
}

/* ---------------------------------------------------------------------- */

void FixSwapAll::attempt(const std::vector<McMove> &drawn)
{
  std::vector<McMove> todo;
  for (const McMove &m : drawn) {
    row_of(m).tried++;
    tried_now++;
    if (!m.impossible) todo.push_back(m);
  }
  if (todo.empty()) return;

  const double before = energy, pair_before = pair_energy;
  std::vector<imageint> images(todo.size());
  for (size_t k = 0; k < todo.size(); k++) apply(todo[k], images[k]);
  communicate();
  double after = evaluate();
  const bool exchanges =
      std::any_of(todo.begin(), todo.end(), [](const McMove &m) { return m.j >= 0; });
  if (caching && exchanges && !relist) probe(before, after);

  std::vector<int> region;
  std::vector<double> dE(1, after - before);
  if (batch > 1) local_differences(todo, region, dE);

  double change = 0.0;
  std::vector<char> taken(todo.size());
  for (size_t k = 0; k < todo.size(); k++) {
    taken[k] = metropolis(dE[k], kT, todo[k].u);
    if (taken[k]) {
      row_of(todo[k]).taken++;
      keep(todo[k], images[k]);
      change += dE[k];
    } else
      undo(todo[k]);
  }
  if (batch > 1) {
    for (int i = 0; i < atom->nlocal; i++)
      if (region[i] >= 0 && taken[region[i]]) stored[i] = trial[i];
    energy = before + change;
    pair_energy = pair_before + change;
  } else if (!taken[0]) {
    energy = before;
    pair_energy = pair_before;
  } else
    energy = after;
  gained += change;
}

/* ----------------------------------------------------------------------
   the accepted state is in moves, image and charge, on every rank; a trial
   is in the atoms of their owners alone
------------------------------------------------------------------------- */

void FixSwapAll::apply(McMove &m, imageint &img)
{
  const auto &particles = moves.particles();
  if (m.j >= 0) {
    set_type(m.i, particles[m.j].type, charge[m.j]);
    set_type(m.j, particles[m.i].type, charge[m.i]);
    return;
  }
  img = image[m.i];
  domain->remap(m.to, img);
  put(m.i, m.from, m.to, img);
}

void FixSwapAll::undo(const McMove &m)
{
  const auto &particles = moves.particles();
  if (m.j < 0) return put(m.i, m.to, m.from, image[m.i]);
  set_type(m.i, particles[m.i].type, charge[m.i]);
  set_type(m.j, particles[m.j].type, charge[m.j]);
}

void FixSwapAll::keep(const McMove &m, imageint img)
{
  if (m.j < 0)
    image[m.i] = img;
  else {
    const int old[2] = {moves.particles()[m.i].type, moves.particles()[m.j].type};
    for (int k = 0; k < 2 && keep_ke; k++) {
      const int i = owned[k ? m.j : m.i];
      if (i < 0) continue;
      const double scale = sqrt(atom->mass[old[k]] / atom->mass[old[1 - k]]);
      for (int d = 0; d < 3; d++) atom->v[i][d] *= scale;
    }
    std::swap(charge[m.i], charge[m.j]);
  }
  moves.accept(m);
}

void FixSwapAll::set_type(int particle, int type, double q)
{
  types_changed = true;
  const int i = owned[particle];
  if (i < 0) return;
  atom->type[i] = type;
  if (atom->q_flag) atom->q[i] = q;
}

void FixSwapAll::put(int particle, const double *from, const double *to, imageint img)
{
  auto &s = shifted.try_emplace(particle, Shift{{from[0], from[1], from[2]}, {}}).first->second;
  std::copy(to, to + 3, s.now.begin());
  const int i = owned[particle];
  if (i < 0) return;
  std::copy(to, to + 3, atom->x[i]);
  atom->image[i] = img;
}

// Ghosts hear of the trial; lists are built again only where they could miss a pair.

void FixSwapAll::communicate()
{
  const double trigger = 0.25 * neighbor->skin * neighbor->skin;
  bool again = types_changed && relist;
  for (const auto &[particle, s] : shifted) {
    double rsq = 0.0;
    for (int d = 0; d < 3; d++) rsq += (s.now[d] - s.built[d]) * (s.now[d] - s.built[d]);
    again = again || rsq > trigger;
  }
  if (again) {
    rebuild(false);
    locate();
    return;
  }
  if (!shifted.empty()) comm->forward_comm();
  if (types_changed) comm->forward_comm(this);
  types_changed = false;
}
