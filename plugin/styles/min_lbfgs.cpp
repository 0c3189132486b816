#include "min_lbfgs.h"

#include "atom.h"
#include "error.h"
#include "output.h"
#include "timer.h"
#include "update.h"

#include <cmath>
#include <cstring>

using namespace LAMMPS_NS;

namespace {
constexpr double EPS_ENERGY = 1.0e-8;    // as the stock styles: floor of the energy criterion
constexpr double SUFFICIENT = 1.0e-4;    // Armijo
constexpr double CURVATURE = 1.0e-10;    // s.y over |s||y| below which a pair tells nothing
constexpr int MAX_BACKTRACK = 8;
constexpr double FIRST_STEP = 0.25;    // of dmax, while no pair is known
}    // namespace

MinLBFGS::MinLBFGS(LAMMPS *lmp) :
    Min(lmp), x0(nullptr), f0(nullptr), d(nullptr), s{}, y{}, rho{}, npairs(0), newest(-1)
{
  searchflag = 1;
}

void MinLBFGS::init()
{
  Min::init();
  npairs = 0;
  newest = -1;
}

void MinLBFGS::setup_style()
{
  if (nextra_global || nextra_atom)
    error->all(FLERR, "min_style lbfgs moves atoms only: found extra degrees of freedom (fix "
                      "box/relax or a pair style's), expected none; use min_style cg");
  for (int i = 0; i < 3 + 2 * MEMORY; i++) fix_minimize->add_vector(3);
}

void MinLBFGS::reset_vectors()
{
  nvec = 3 * atom->nlocal;
  xvec = nvec ? atom->x[0] : nullptr;
  fvec = nvec ? atom->f[0] : nullptr;
  x0 = fix_minimize->request_vector(0);
  f0 = fix_minimize->request_vector(1);
  d = fix_minimize->request_vector(2);
  for (int k = 0; k < MEMORY; k++) {
    s[k] = fix_minimize->request_vector(3 + 2 * k);
    y[k] = fix_minimize->request_vector(4 + 2 * k);
  }
}

double MinLBFGS::dot(const double *a, const double *b) const
{
  double mine = 0.0, all;
  for (int i = 0; i < nvec; i++) mine += a[i] * b[i];
  MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_SUM, world);
  return all;
}

/* ---------------------------------------------------------------------- */

int MinLBFGS::iterate(int maxiter)
{
  fix_minimize->store_box();
  for (int iter = 0; iter < maxiter; iter++) {
    if (timer->check_timeout(niter)) return MAXITER;
    const bigint ntimestep = ++update->ntimestep;
    niter++;

    eprevious = ecurrent;
    direction();
    double slope = limit_step();
    if (!step(slope)) {
      if (npairs == 0) return ZEROALPHA;
      npairs = 0;    // the model of the curvature misled us: start again from the gradient
      direction();
      slope = limit_step();
      if (!step(slope)) return ZEROALPHA;
    }
    remember();

    if (neval >= update->max_eval) return MAXEVAL;
    if (fabs(ecurrent - eprevious) <
        update->etol * 0.5 * (fabs(ecurrent) + fabs(eprevious) + EPS_ENERGY))
      return ETOL;
    if (converged()) return FTOL;
    if (output->next == ntimestep) {
      timer->stamp();
      output->write(ntimestep);
      timer->stamp(Timer::OUTPUT);
    }
  }
  return MAXITER;
}

// d = H f by the two-loop recursion

void MinLBFGS::direction()
{
  double alpha[MEMORY];
  for (int i = 0; i < nvec; i++) d[i] = fvec[i];
  for (int k = 0, p = newest; k < npairs; k++, p = (p + MEMORY - 1) % MEMORY) {
    alpha[p] = rho[p] * dot(s[p], d);
    for (int i = 0; i < nvec; i++) d[i] -= alpha[p] * y[p][i];
  }
  if (npairs == 0) return;
  const double gamma = 1.0 / (rho[newest] * dot(y[newest], y[newest]));
  for (int i = 0; i < nvec; i++) d[i] *= gamma;
  for (int k = npairs - 1; k >= 0; k--) {
    const int p = (newest + MEMORY - k) % MEMORY;
    const double beta = rho[p] * dot(y[p], d);
    for (int i = 0; i < nvec; i++) d[i] += (alpha[p] - beta) * s[p][i];
  }
}

// No component of the step is larger than dmax; returns f.d, made positive.

double MinLBFGS::limit_step()
{
  double slope = dot(fvec, d);
  if (!(slope > 0.0)) {
    npairs = 0;
    for (int i = 0; i < nvec; i++) d[i] = fvec[i];
    slope = dot(fvec, d);
  }
  double mine = 0.0, largest;
  for (int i = 0; i < nvec; i++) mine = MAX(mine, fabs(d[i]));
  MPI_Allreduce(&mine, &largest, 1, MPI_DOUBLE, MPI_MAX, world);
  if (largest == 0.0) return 0.0;
  const double most = npairs ? dmax : FIRST_STEP * dmax;
  const double scale = npairs ? MIN(1.0, most / largest) : most / largest;
  if (scale != 1.0)
    for (int i = 0; i < nvec; i++) d[i] *= scale;
  return slope * scale;
}

// x0 + alpha d, alpha halved until the energy falls enough; d becomes the step taken.
// False, with atoms and forces as before, if it never does.

bool MinLBFGS::step(double slope)
{
  const double e0 = ecurrent;
  if (!(slope > 0.0)) return false;
  if (nvec) {
    memcpy(x0, xvec, sizeof(double) * nvec);
    memcpy(f0, fvec, sizeof(double) * nvec);
  }
  double alpha = 1.0;
  for (int trial = 0; trial < MAX_BACKTRACK; trial++) {
    for (int i = 0; i < nvec; i++) xvec[i] = x0[i] + alpha * d[i];
    ecurrent = energy_force(1);
    neval++;
    if (ecurrent <= e0 - SUFFICIENT * alpha * slope) {
      alpha_final = alpha;
      if (alpha != 1.0)
        for (int i = 0; i < nvec; i++) d[i] *= alpha;
      return true;
    }
    // minimum of the parabola through both energies and the slope, kept inside bounds
    const double guess = 0.5 * slope * alpha * alpha / (ecurrent - e0 + slope * alpha);
    alpha = MIN(0.5 * alpha, MAX(guess, 0.1 * alpha));
  }
  for (int i = 0; i < nvec; i++) xvec[i] = x0[i];
  ecurrent = energy_force(1);
  neval++;
  return false;
}

void MinLBFGS::remember()
{
  const int p = (newest + 1) % MEMORY;
  for (int i = 0; i < nvec; i++) {
    s[p][i] = d[i];
    y[p][i] = f0[i] - fvec[i];
  }
  const double sy = dot(s[p], y[p]);
  if (!(sy > CURVATURE * sqrt(dot(s[p], s[p]) * dot(y[p], y[p])))) {
    npairs = MIN(npairs, MEMORY - 1);    // the oldest pair lay where this one is now
    return;
  }
  rho[p] = 1.0 / sy;
  newest = p;
  npairs = MIN(npairs + 1, MEMORY);
}

bool MinLBFGS::converged()
{
  if (update->ftol <= 0.0) return false;
  double norm = 0.0;
  if (normstyle == MAX)
    norm = fnorm_max();
  else if (normstyle == INF)
    norm = fnorm_inf();
  else
    norm = fnorm_sqr();
  return norm < update->ftol * update->ftol;
}
