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
constexpr int MAX_PROBES = 5;
constexpr double LOCAL_TOLERANCE = 1e-4;    // of kT: change of an energy that is outside all zones
constexpr double SUM_TOLERANCE = 1e-8;      // per-atom energies against their total

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

// Energy of the state that dynamics brought, and whether its per-atom energies can be used.

void FixSwapAll::start()
{
  if (!kinds.displace.empty() && comm->nprocs > 1) {
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

  if (!relist) {    // not known before the first lists are there
    for (size_t k = 1; k < kinds.swap.size(); k++)
      for (int t = 1; t <= atom->ntypes; t++)
        if (neighbor->cutneighsq[kinds.swap[0]][t] != neighbor->cutneighsq[kinds.swap[k]][t])
          relist = true;
  }

  energy = evaluate();
  if (!std::isfinite(energy))
    error->all(FLERR, "fix swap/all: the energy before the moves is {}, expected a number", energy);
  if (batch == 1) return;

  std::string why;
  double sums[2] = {0.0, 0.0}, all[2];
  for (int i = 0; i < atom->nlocal; i++) {
    stored[i] = trial[i];
    sums[0] += trial[i];
    sums[1] += fabs(trial[i]);
  }
  MPI_Allreduce(sums, all, 2, MPI_DOUBLE, MPI_SUM, world);
  if (force->kspace)
    why = "a kspace style has no local energies";
  else if (!energy_fixes.empty())
    why = fmt::format("fix {} adds an energy that is not local", energy_fixes[0]->id);
  else if (!(fabs(all[0] - pair_energy) <= SUM_TOLERANCE * (all[1] + kT)))
    why = fmt::format("the per-atom energies of pair style {} add up to {}, its energy is {}",
                      force->pair_style, all[0], pair_energy);
  if (why.empty()) return;
  batch = 1;
  if (comm->me == 0) error->warning(FLERR, "fix swap/all: batch 1 in this run: {}", why);
}

/* ----------------------------------------------------------------------
   energy of the atoms as they are, the same on every rank; with batches
   their own energies in trial
------------------------------------------------------------------------- */

double FixSwapAll::evaluate()
{
  const int nall = atom->nlocal + atom->nghost;
  if (nall > 0) memset(&atom->f[0][0], 0, sizeof(double) * 3 * nall);
  if (modify->n_pre_force) modify->pre_force(0);
  force->pair->compute(batch > 1 ? ENERGY_GLOBAL | ENERGY_ATOM : ENERGY_GLOBAL, 0);
  evaluations++;

  if (batch > 1) {
    trial.assign(nall, 0.0);
    const int n = force->newton ? nall : atom->nlocal;
    if (force->pair->eatom) std::copy(force->pair->eatom, force->pair->eatom + n, trial.begin());
    if (force->newton) comm->reverse_comm(this);
  }

  double mine = force->pair->eng_vdwl + force->pair->eng_coul, pair = 0.0;
  MPI_Allreduce(&mine, &pair, 1, MPI_DOUBLE, MPI_SUM, world);
  pair_energy = pair;
  double total = pair;
  if (force->kspace) {
    force->kspace->compute(ENERGY_GLOBAL, 0);
    total += force->kspace->energy;
  }
  for (Fix *fix : energy_fixes) {
    fix->post_force(0);
    total += fix->compute_scalar();
  }
  // sums may differ in the last bit from rank to rank: decisions must not
  double both[2] = {total, pair_energy};
  MPI_Bcast(both, 2, MPI_DOUBLE, 0, world);
  pair_energy = both[1];
  return both[0];
}

/* ---------------------------------------------------------------------- */

void FixSwapAll::attempt(const std::vector<McMove> &drawn)
{
  std::vector<McMove> todo;
  for (const McMove &m : drawn) {
    row_of(m).tried++;
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

// region[i]: the move whose zone owned atom i is in, or -1. dE[k]: change of the energies in zone
// k.

void FixSwapAll::local_differences(const std::vector<McMove> &todo, std::vector<int> &region,
                                   std::vector<double> &dE)
{
  const auto &particles = moves.particles();
  const auto &metric = moves.distance();
  const int n = int(todo.size());
  const double tolerance = LOCAL_TOLERANCE * kT;
  auto sites = [&](const McMove &m) {
    return m.j < 0 ? std::array<const double *, 2>{m.from, m.to}
                   : std::array<const double *, 2>{particles[m.i].x, particles[m.j].x};
  };
  std::vector<std::array<const double *, 2>> places(n);
  for (int k = 0; k < n; k++) places[k] = sites(todo[k]);

  region.assign(atom->nlocal, n == 1 ? 0 : -1);    // alone: nothing to be told apart
  std::vector<double> mine(n, 0.0);
  double far[2] = {reach, 0.0};    // distance of a change, largest change outside
  double where = 0.0;
  for (int i = 0; i < atom->nlocal; i++) {
    const double *x = atom->x[i];
    const double change = trial[i] - stored[i];
    if (n > 1)
      for (int k = 0; k < n && region[i] < 0; k++)
        if (metric.within(x, places[k][0], range) || metric.within(x, places[k][1], range))
          region[i] = k;
    if (region[i] >= 0) mine[region[i]] += change;
    if (fabs(change) <= tolerance) continue;
    double r = std::numeric_limits<double>::max();
    for (const auto &p : places)
      r = MIN(r, MIN(metric.shortest(x, p[0]), metric.shortest(x, p[1])));
    far[0] = MAX(far[0], r);
    if (region[i] < 0) {
      where = MAX(where, r);
      far[1] = MAX(far[1], std::isnan(change) ? HUGE_VAL : fabs(change));
    }
  }
  dE.assign(n, 0.0);
  MPI_Reduce(mine.data(), dE.data(), n, MPI_DOUBLE, MPI_SUM, 0, world);
  MPI_Bcast(dE.data(), n, MPI_DOUBLE, 0, world);
  double all[2];
  MPI_Allreduce(far, all, 2, MPI_DOUBLE, MPI_MAX, world);
  reach = all[0];
  if (all[1] > 0.0)
    error->all(FLERR,
               "fix swap/all range: found {}, but an energy changed by {} at a distance of {} from "
               "the next exchanged or displaced atom, expected no change beyond the range; give "
               "a range of more than {}, or batch 1",
               range, all[1], all[0], all[0]);
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

// A pair style may keep what it made of the types when the lists were built. The first exchanges
// are evaluated twice, the second time with new lists, until one cost an energy.

void FixSwapAll::probe(double before, double &total)
{
  const double in_place = total, tolerance = LOCAL_TOLERANCE * kT;
  rebuild(false);
  locate();
  total = evaluate();
  if (fabs(total - in_place) > tolerance) {
    relist = true;
    caching = false;
    if (comm->me == 0)
      error->warning(FLERR,
                     "fix swap/all: pair style {} sees new types only with new neighbour lists: "
                     "they are built for each trial",
                     force->pair_style);
  } else if (fabs(total - before) > tolerance || ++probes == MAX_PROBES)
    caching = false;
}
