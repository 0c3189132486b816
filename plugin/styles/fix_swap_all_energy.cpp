// fix swap/all: energies, of the whole and of the zones of a batch, and what is checked of them.

#include "fix_swap_all.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "kspace.h"
#include "modify.h"
#include "pair.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

using namespace LAMMPS_NS;
using namespace smax;

namespace {
constexpr int MAX_PROBES = 5;
constexpr double LOCAL_TOLERANCE = 1e-4;    // of kT: change of an energy that is outside all zones
constexpr double SUM_TOLERANCE = 1e-8;      // per-atom energies against their total
// An error of the accepted energy that is above this share of kT for each move is one of the
// method; below it is rounding, of single-precision potentials too.
constexpr double TOTAL_TOLERANCE = 1e-2;
constexpr double ROUNDING = 1e-10;    // of the energy itself
}    // namespace

// Energy of the state that dynamics brought, and whether its per-atom energies can be used.

void FixSwapAll::start()
{
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
  for (int i = 0; i < atom->nlocal; i++) {
    const double *x = atom->x[i];
    const double change = trial[i] - stored[i];
    if (n > 1)
      for (int k = 0; k < n && region[i] < 0; k++)
        if (metric.within(x, places[k][0], range) || metric.within(x, places[k][1], range))
          region[i] = k;
    if (region[i] >= 0) mine[region[i]] += change;
    if (fabs(change) <= tolerance) continue;
    // in a zone of several the next site is one of its own move
    const int first = n > 1 && region[i] >= 0 ? region[i] : 0;
    const int last = n > 1 && region[i] >= 0 ? region[i] + 1 : n;
    double r = std::numeric_limits<double>::max();
    for (int k = first; k < last; k++)
      for (const double *site : places[k]) r = MIN(r, metric.shortest(x, site));
    far[0] = MAX(far[0], r);
    if (region[i] < 0) far[1] = MAX(far[1], std::isnan(change) ? HUGE_VAL : fabs(change));
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

// The energy that the step found by itself must be the one that the moves led to.

void FixSwapAll::post_force(int)
{
  if (check_step != update->ntimestep || update->eflag_global != check_step) return;
  double mine = force->pair->eng_vdwl + force->pair->eng_coul, found;
  MPI_Allreduce(&mine, &found, 1, MPI_DOUBLE, MPI_SUM, world);
  const double off = fabs(found - pair_energy);
  mismatch = MAX(mismatch, off);
  const double allowed = TOTAL_TOLERANCE * kT * MAX(1, tried_now) + ROUNDING * fabs(found);
  if (!(off <= allowed))
    error->all(FLERR,
               "fix swap/all: the energy after the moves is {}, expected {} (tolerance {}): the "
               "energies of this pair style are not local within {}, or it does not see new "
               "types; use batch 1 or a larger range",
               found, pair_energy, allowed, range);
}
