#include "mc_moves.h"

#include "images.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

using namespace smax;

namespace {
constexpr int GIVE_UP = 1000;           // draws in a row that met a zone: the batch is full
constexpr double NO_IMAGE = 1e300;      // length of an edge that is not periodic
constexpr double CELLS_PER_STEP = 6;    // a cell's edge over dmax: few displacements leave it
}    // namespace

McDistance::McDistance(const McBox &box)
{
  std::copy(box.h, box.h + 6, h);
  for (int k = 0; k < 3; k++)
    if (!box.periodic[k]) h[k] = NO_IMAGE;
}

bool McDistance::within(const double *a, const double *b, double reach) const
{
  const double d[3] = {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
  bool found = false;
  for_each_image(h, d, reach, [&](int, int, int) { found = true; });
  return found;
}

double McDistance::shortest(const double *a, const double *b) const
{
  // wrapping along c, b, a leaves a vector that is no longer than this
  double d[3] = {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
  const double kz = std::nearbyint(d[2] / h[2]);
  d[2] -= kz * h[2], d[1] -= kz * h[3], d[0] -= kz * h[4];
  const double ky = std::nearbyint(d[1] / h[1]);
  d[1] -= ky * h[1], d[0] -= ky * h[5];
  d[0] -= std::nearbyint(d[0] / h[0]) * h[0];
  double best = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
  for_each_image(h, d, std::sqrt(best), [&](int kx, int ly, int lz) {
    const double z = d[2] + lz * h[2], y = d[1] + ly * h[1] + lz * h[3];
    const double x = d[0] + kx * h[0] + ly * h[5] + lz * h[4];
    best = std::min(best, x * x + y * y + z * z);
  });
  return std::sqrt(best);
}

bool smax::metropolis(double dE, double kT, double u)
{
  return std::isfinite(dE) && (dE <= 0.0 || u < std::exp(-dE / kT));
}

/* ---------------------------------------------------------------------- */

McMoves::McMoves(const McMoveKinds &k, const McBox &b, std::vector<McParticle> particles) :
    kinds(k), box(b), metric(b), all(std::move(particles)), slot(all.size(), -1)
{
  int ntypes = 0;
  for (int t : kinds.swap) ntypes = std::max(ntypes, t);
  for (int t : kinds.displace) ntypes = std::max(ntypes, t);
  of_type.resize(ntypes + 1);
  std::vector<char> swaps(ntypes + 1, 0), moves(ntypes + 1, 0);
  for (int t : kinds.swap) swaps[t] = 1;
  for (int t : kinds.displace) moves[t] = 1;
  for (int i = 0; i < int(all.size()); i++) {
    const int t = all[i].type;
    if (t > ntypes) continue;
    if (swaps[t]) {
      slot[i] = int(of_type[t].size());
      of_type[t].push_back(i);
    }
    if (moves[t]) movable.push_back(i);
  }
  for (size_t a = 0; a < kinds.swap.size(); a++)
    for (size_t c = a + 1; c < kinds.swap.size(); c++)
      if (!of_type[kinds.swap[a]].empty() && !of_type[kinds.swap[c]].empty())
        pairs.push_back({kinds.swap[a], kinds.swap[c]});
  if (pairs.empty() && movable.empty())
    throw std::invalid_argument("found no two types with atoms to be exchanged and no atom to be "
                                "displaced, expected either");
}

std::vector<McMove> McMoves::draw(int most, double range, Rng &rng)
{
  std::vector<McMove> moves;
  std::vector<Site> taken;
  Grid grid{};
  const bool batch = most > 1;
  const int give_up = std::min(GIVE_UP, 20 + int(all.size()));
  if (batch && !movable.empty()) grid = make_grid(rng);
  for (int failed = 0; int(moves.size()) < most && failed < give_up;) {
    McMove m{};
    if (draw_one(m, batch ? &grid : nullptr, taken, range, rng)) {
      moves.push_back(m);
      failed = 0;
    } else
      failed++;
  }
  return moves;
}

// False if the move met the zone of an earlier one. No grid: no zones.

bool McMoves::draw_one(McMove &m, const Grid *grid, std::vector<Site> &taken, double range,
                       Rng &rng)
{
  const bool both = !pairs.empty() && !movable.empty();
  const bool displace = both ? rng.uniform() < kinds.fraction : pairs.empty();
  if (!displace) {
    const auto &[a, c] = pairs[rng.below(int(pairs.size()))];
    m.i = of_type[a][rng.below(int(of_type[a].size()))];
    m.j = of_type[c][rng.below(int(of_type[c].size()))];
    m.u = rng.uniform();
    if (!grid) return true;
    Site si{{}, 0.0}, sj{{}, 0.0};
    std::copy(all[m.i].x, all[m.i].x + 3, si.x);
    std::copy(all[m.j].x, all[m.j].x + 3, sj.x);
    if (!is_free(si, taken, range) || !is_free(sj, taken, range)) return false;
    taken.push_back(si);
    taken.push_back(sj);
    return true;
  }

  m.i = movable[rng.below(int(movable.size()))];
  m.j = -1;
  double d[3], rsq;
  do {
    rsq = 0.0;
    for (int k = 0; k < 3; k++) {
      d[k] = k < box.dimension ? rng.uniform(-1.0, 1.0) : 0.0;
      rsq += d[k] * d[k];
    }
  } while (rsq > 1.0);
  m.u = rng.uniform();
  for (int k = 0; k < 3; k++) {
    m.from[k] = all[m.i].x[k];
    m.to[k] = m.from[k] + kinds.dmax * d[k];
  }
  m.impossible = through_wall(m.to);
  if (!grid) return true;
  int before[3], after[3];
  cell_of(*grid, m.from, before);
  cell_of(*grid, m.to, after);
  if (!std::equal(before, before + 3, after)) m.impossible = true;
  const Site s = site_of(*grid, m.from);
  if (!is_free(s, taken, range)) return false;
  taken.push_back(s);
  return true;
}

bool McMoves::is_free(const Site &s, const std::vector<Site> &taken, double range) const
{
  for (const Site &t : taken)
    if (metric.within(s.x, t.x, 2.0 * range + s.radius + t.radius)) return false;
  return true;
}

void McMoves::accept(const McMove &m)
{
  if (m.j < 0) {
    std::copy(m.to, m.to + 3, all[m.i].x);
    return;
  }
  std::swap(of_type[all[m.i].type][slot[m.i]], of_type[all[m.j].type][slot[m.j]]);
  std::swap(slot[m.i], slot[m.j]);
  std::swap(all[m.i].type, all[m.j].type);
}

/* ---------------------------------------------------------------------- */

// Cells along the box vectors, no thinner than CELLS_PER_STEP dmax where the box allows it.

McMoves::Grid McMoves::make_grid(Rng &rng) const
{
  const double *h = box.h;
  // distances between opposite faces
  const double across[3] = {h[0] /
                                std::sqrt(1.0 + h[5] * h[5] / (h[1] * h[1]) +
                                          std::pow((h[5] * h[3] - h[1] * h[4]) / (h[1] * h[2]), 2)),
                            h[1] / std::sqrt(1.0 + h[3] * h[3] / (h[2] * h[2])), h[2]};
  Grid g{};
  for (int k = 0; k < 3; k++) {
    g.origin[k] = rng.uniform();
    const double n = std::floor(across[k] / (CELLS_PER_STEP * kinds.dmax));
    g.n[k] = int(std::min(1e6, std::max(1.0, n)));
  }
  const double a[3] = {h[0] / g.n[0], 0.0, 0.0}, b[3] = {h[5] / g.n[1], h[1] / g.n[1], 0.0},
               c[3] = {h[4] / g.n[2], h[3] / g.n[2], h[2] / g.n[2]};
  for (int sb = -1; sb <= 1; sb += 2)
    for (int sc = -1; sc <= 1; sc += 2) {
      double rsq = 0.0;
      for (int k = 0; k < 3; k++) rsq += std::pow(a[k] + sb * b[k] + sc * c[k], 2);
      g.radius = std::max(g.radius, 0.5 * std::sqrt(rsq));
    }
  g.radius *= 1.0 + 1e-9;
  return g;
}

void McMoves::fractional(const double *x, double *s) const
{
  const double *h = box.h;
  s[2] = (x[2] - box.lo[2]) / h[2];
  s[1] = (x[1] - box.lo[1] - s[2] * h[3]) / h[1];
  s[0] = (x[0] - box.lo[0] - s[1] * h[5] - s[2] * h[4]) / h[0];
}

void McMoves::cell_of(const Grid &grid, const double *x, int *cell) const
{
  double s[3];
  fractional(x, s);
  for (int k = 0; k < 3; k++) {
    cell[k] = int(std::floor((s[k] - grid.origin[k]) * grid.n[k]));
    if (box.periodic[k]) cell[k] = ((cell[k] % grid.n[k]) + grid.n[k]) % grid.n[k];
  }
}

McMoves::Site McMoves::site_of(const Grid &grid, const double *x) const
{
  int cell[3];
  cell_of(grid, x, cell);
  double s[3];
  for (int k = 0; k < 3; k++) s[k] = grid.origin[k] + (cell[k] + 0.5) / grid.n[k];
  const double *h = box.h;
  return {{box.lo[0] + s[0] * h[0] + s[1] * h[5] + s[2] * h[4],
           box.lo[1] + s[1] * h[1] + s[2] * h[3], box.lo[2] + s[2] * h[2]},
          grid.radius};
}

bool McMoves::through_wall(const double *x) const
{
  double s[3];
  fractional(x, s);
  for (int k = 0; k < 3; k++)
    if (!box.periodic[k] && !(s[k] >= 0.0 && s[k] < 1.0)) return true;
  return false;
}
