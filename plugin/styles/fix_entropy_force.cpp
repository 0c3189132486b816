// fix entropy: one evaluation.

#include "bispectrum.h"
#include "dataset.h"
#include "failure.h"
#include "fix_entropy.h"

#include "atom.h"
#include "comm.h"
#include "neigh_list.h"
#include "neighbor.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace LAMMPS_NS;
using namespace smax;

namespace {
// where S(D+x) has no value, a minimiser that can't be stopped must find a wall
constexpr double UNDEFINED = 1.0e20;
constexpr double TINY_RSQ = 1.0e-20;    // as stock SNAP: coincident atoms give nothing
constexpr double PI = 3.14159265358979323846;
}    // namespace

void FixEntropy::setup_post_neighbor()
{
  post_neighbor();
}
void FixEntropy::min_post_neighbor()
{
  post_neighbor();
}
void FixEntropy::setup_pre_reverse(int, int vflag)
{
  evaluate(vflag);
}
void FixEntropy::pre_reverse(int, int vflag)
{
  evaluate(vflag);
}
void FixEntropy::min_pre_reverse(int, int vflag)
{
  evaluate(vflag);
}

/* ---------------------------------------------------------------------- */

void FixEntropy::evaluate(int vflag)
{
  v_init(vflag);
  const double ecore = gather_neighbours();
  const double start = platform::walltime();
  dS = 0.0;
  if (term != Term::Core) {
    compute_features();
    tally.evaluations++;
    tally.atom_evaluations += atom->natoms;
  }
  if (term == Term::Full) {
    sums.assign(data->objective().nsums() + 1, 0.0);
    sums.back() = ecore;
    try {
      entropy_term();
      core = sums.back();
      apply_gradient();
    } catch (std::exception &e) {    // of sums that every rank has: the same on all
      if (!tolerant) fail_partition(lmp, fmt::format("fix entropy: {}", e.what()));
      dS = 0.0;
      core = sums.back();
      energy = UNDEFINED;
    }
  } else {
    MPI_Allreduce(&ecore, &core, 1, MPI_DOUBLE, MPI_SUM, world);
    energy = core;
  }
  tally.kernel += platform::walltime() - start;
  if (poll) poll();
}

// LAMMPS' list reaches as far as the largest radii do: most of its pairs are beyond their own
// cutoff.

void FixEntropy::post_neighbor()
{
  double **x = atom->x;
  const int nlocal = atom->nlocal;
  const double skin = neighbor->skin;
  // atoms made since init() may need a longer list than there is
  for (int i = 0; i < nlocal + atom->nghost; i++)
    if (radius[i] > longest)
      fail_here(lmp,
                fmt::format("fix entropy: radius {} of atom {} appeared during a run that began "
                            "with at most {}, expected a new run after adding larger atoms",
                            radius[i], atom->tag[i], longest));
  near_first.assign(nlocal + 1, 0);
  nearby.clear();
  for (int i = 0; i < nlocal; i++) {
    const int *jlist = list->firstneigh[i];
    for (int jj = 0; jj < list->numneigh[i]; jj++) {
      const int j = jlist[jj] & NEIGHMASK;
      const double dx = x[j][0] - x[i][0], dy = x[j][1] - x[i][1], dz = x[j][2] - x[i][2];
      const double rsum = radius[i] + radius[j], reach = rcutfac * rsum + skin;
      if (dx * dx + dy * dy + dz * dz < reach * reach) nearby.push_back({j, rsum});
    }
    near_first[i + 1] = int(nearby.size());
  }
}

// Rows of ours follow the owned atoms; the list is full: it holds each pair from both sides.

double FixEntropy::gather_neighbours()
{
  double **x = atom->x, **f = atom->f;
  const int nlocal = atom->nlocal;
  const double rcutfac_sq = rcutfac * rcutfac;
  double ecore = 0.0, ratio_sq = std::numeric_limits<double>::max();
  rsq_min = ratio_sq;
  first.assign(nlocal + 1, 0);
  for (auto *v : {&dx, &dy, &dz, &rcut}) v->resize(nearby.size());
  partner.resize(nearby.size());

  int n = 0;
  for (int i = 0; i < nlocal; i++) {
    array_atom[i][nfeat] = radius[i];
    for (int p = near_first[i]; p < near_first[i + 1]; p++) {
      const int j = nearby[p].j;
      const double rsum = nearby[p].rsum, rsum_sq = rsum * rsum;
      const double d[3] = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
      const double rsq = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
      rsq_min = MIN(rsq_min, rsq);
      if (rsq < ratio_sq * rsum_sq) ratio_sq = rsq / rsum_sq;
      if (rsq < rsum_sq) ecore += 0.5 * core_pair(d, rsq, rsum, f[i]);
      // written always, kept if inside: no branch to mispredict
      dx[n] = d[0];
      dy[n] = d[1];
      dz[n] = d[2];
      rcut[n] = rcutfac * rsum;
      partner[n] = j;
      n += (rsq < rcutfac_sq * rsum_sq) & (rsq > TINY_RSQ);
    }
    first[i + 1] = n;
  }
  ratio_min = sqrt(ratio_sq);
  return ecore;
}

// V(r) = A [1 + cos(pi r / rsum)]; adds the force on atom i, and half the virial of the pair.

double FixEntropy::core_pair(const double *d, double rsq, double rsum, double *fi)
{
  const double r = sqrt(rsq);
  if (r > 0.0) {
    const double fpair = -A * PI / rsum * sin(PI * r / rsum) / r;
    for (int k = 0; k < 3; k++) fi[k] += fpair * d[k];
    if (vflag_global) {
      const int voigt[6][2] = {{0, 0}, {1, 1}, {2, 2}, {0, 1}, {0, 2}, {1, 2}};
      for (int k = 0; k < 6; k++) virial[k] -= 0.5 * fpair * d[voigt[k][0]] * d[voigt[k][1]];
    }
  }
  return A * (1.0 + cos(PI * r / rsum));
}

void FixEntropy::compute_features()
{
  const int nlocal = atom->nlocal;
  b.resize(size_t(nlocal) * nfeat);
  kernel->features({nlocal, first.data(), dx.data(), dy.data(), dz.data(), rcut.data()}, b.data());
  for (int i = 0; i < nlocal; i++)
    memcpy(array_atom[i], &b[size_t(i) * nfeat], sizeof(double) * nfeat);
}

void FixEntropy::entropy_term()
{
  const int nlocal = atom->nlocal;
  EntropyObjective &objective = data->objective();
  const bool per_atom = data->mode == Mode::Atom;
  const double natoms = double(atom->natoms);
  std::vector<double> mean;
  if (per_atom) {
    objective.add(nlocal, b.data(), sums.data());
  } else {
    mean.assign(nfeat + 1, 0.0);
    for (int i = 0; i < nlocal; i++)
      for (int c = 0; c < nfeat; c++) mean[c] += b[size_t(i) * nfeat + c];
    mean[nfeat] = sums.back();
  }

  std::vector<double> &shared = per_atom ? sums : mean;
  const double start = platform::walltime();
  if (comm->nprocs > 1)
    MPI_Allreduce(MPI_IN_PLACE, shared.data(), int(shared.size()), MPI_DOUBLE, MPI_SUM, world);
  const double waited = platform::walltime() - start;
  tally.reduce += waited;
  tally.kernel -= waited;

  if (!per_atom) {
    sums.back() = mean[nfeat];
    for (int c = 0; c < nfeat; c++) mean[c] /= natoms;
    objective.add(1, mean.data(), sums.data());
  }
  dS = objective.delta(sums.data());
  const double vectors = double(objective.count()) + (per_atom ? natoms : 1.0);
  const double prefactor = -K * (count_scale ? vectors : 1.0);
  energy = prefactor * dS + sums.back();

  beta.resize(b.size());
  if (per_atom) {
    objective.gradient(nlocal, b.data(), prefactor, beta.data());
  } else {
    std::vector<double> g(nfeat);
    objective.gradient(1, mean.data(), prefactor / natoms, g.data());
    for (int i = 0; i < nlocal; i++)
      memcpy(&beta[size_t(i) * nfeat], g.data(), sizeof(double) * nfeat);
  }
  const Neighbours neigh = {nlocal, first.data(), dx.data(), dy.data(), dz.data(), rcut.data()};
  for (auto *v : {&gx, &gy, &gz}) v->resize(dx.size());
  kernel->gradient(neigh, beta.data(), gx.data(), gy.data(), gz.data());
}

void FixEntropy::apply_gradient()
{
  double **f = atom->f;
  for (int i = 0; i < atom->nlocal; i++)
    for (int p = first[i]; p < first[i + 1]; p++) {
      const int j = partner[p];
      f[i][0] += gx[p];
      f[i][1] += gy[p];
      f[i][2] += gz[p];
      f[j][0] -= gx[p];
      f[j][1] -= gy[p];
      f[j][2] -= gz[p];
    }
  if (!vflag_global) return;
  for (int p = 0; p < first[atom->nlocal]; p++) {
    virial[0] -= dx[p] * gx[p];
    virial[1] -= dy[p] * gy[p];
    virial[2] -= dz[p] * gz[p];
    virial[3] -= dx[p] * gy[p];
    virial[4] -= dx[p] * gz[p];
    virial[5] -= dy[p] * gz[p];
  }
}
