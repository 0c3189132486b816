// Monte Carlo moves: distances against brute force over images; what a batch may hold; bookkeeping.
// That batches sample the Boltzmann distribution is tested in tests/lammps/test_fix_swap_all.py.

#include "check.h"
#include "mc_moves.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace smax;

namespace {

const McBox TILTED{{-3, 1, 2}, {20, 17, 15, 7, -9, 10}, {true, true, true}};
const McBox SLAB{{0, 0, 0}, {20, 17, 15, 0, 0, 10}, {true, true, false}};
constexpr double RANGE = 2.5;

// shortest of many images, without any of the tricks
double brute(const McBox &box, const double *a, const double *b)
{
  double best = 1e300;
  const double *h = box.h;
  const int nx = box.periodic[0] * 6, ny = box.periodic[1] * 6, nz = box.periodic[2] * 6;
  for (int i = -nx; i <= nx; i++)
    for (int j = -ny; j <= ny; j++)
      for (int k = -nz; k <= nz; k++) {
        const double x = a[0] - b[0] + i * h[0] + j * h[5] + k * h[4];
        const double y = a[1] - b[1] + j * h[1] + k * h[3], z = a[2] - b[2] + k * h[2];
        best = std::min(best, x * x + y * y + z * z);
      }
  return std::sqrt(best);
}

void point(const McBox &box, Rng &rng, double *x)
{
  const double s[3] = {rng.uniform(), rng.uniform(), rng.uniform()};
  const double *h = box.h;
  x[0] = box.lo[0] + s[0] * h[0] + s[1] * h[5] + s[2] * h[4];
  x[1] = box.lo[1] + s[1] * h[1] + s[2] * h[3];
  x[2] = box.lo[2] + s[2] * h[2];
}

void distances(const McBox &box, const char *name)
{
  Rng rng(3, 1);
  const McDistance metric(box);
  double error = 0.0, disagree = 0.0;
  for (int n = 0; n < 300; n++) {
    double a[3], b[3];
    point(box, rng, a);
    point(box, rng, b);
    a[0] += box.periodic[0] * 2 * box.h[0];    // not wrapped
    const double r = brute(box, a, b);
    error = std::max(error, std::abs(metric.shortest(a, b) - r));
    disagree += !metric.within(a, b, r * (1 + 1e-9)) + metric.within(a, b, r * (1 - 1e-9));
  }
  check(std::string(name) + ": distance", error, 1e-12);
  check(std::string(name) + ": within", disagree, 0);
}

std::vector<McParticle> particles(const McBox &box, int n)
{
  Rng rng(5, 2);
  std::vector<McParticle> all(n);
  for (int i = 0; i < n; i++) {
    all[i].tag = i + 1;
    all[i].type = i % 7 == 0 ? 5 : 1 + i % 4;    // 5 is displaced, 4 stays
    point(box, rng, all[i].x);
  }
  return all;
}

double number(const McMoves &moves, int type)
{
  return double(std::count_if(moves.particles().begin(), moves.particles().end(),
                              [type](const McParticle &p) { return p.type == type; }));
}

void batches(const McBox &box, const char *name)
{
  const McMoveKinds kinds{{1, 2, 3}, {5}, 0.4, 0.3};
  McMoves moves(kinds, box, particles(box, 400));
  const double before[6] = {
      0, number(moves, 1), number(moves, 2), number(moves, 3), number(moves, 4), number(moves, 5)};
  Rng rng(9, 4);
  std::map<std::pair<int, int>, int> seen;
  double overlaps = 0, wrong = 0, largest = 0, longest = 0, walls = 0, displaced = 0, left = 0;
  for (int n = 0; n < 400; n++) {
    const auto batch = moves.draw(6, RANGE, rng);
    largest = std::max(largest, double(batch.size()));
    std::vector<std::pair<size_t, const double *>> sites;
    for (size_t k = 0; k < batch.size(); k++) {
      const McMove &m = batch[k];
      const int ti = moves.particles()[m.i].type;
      wrong += !(m.u >= 0.0 && m.u < 1.0);
      if (m.j >= 0) {
        const int tj = moves.particles()[m.j].type;
        wrong += ti == tj || ti > 3 || tj > 3 || m.impossible;
        seen[{std::min(ti, tj), std::max(ti, tj)}]++;
        sites.push_back({k, moves.particles()[m.i].x});
        sites.push_back({k, moves.particles()[m.j].x});
        continue;
      }
      displaced++;
      wrong += ti != 5;
      double rsq = 0.0;
      for (int d = 0; d < 3; d++) rsq += std::pow(m.to[d] - m.from[d], 2);
      longest = std::max(longest, std::sqrt(rsq));
      if (!box.periodic[2] && (m.to[2] < box.lo[2] || m.to[2] >= box.lo[2] + box.h[2]))
        walls += !m.impossible;
      left += m.impossible;
      if (m.impossible) continue;
      sites.push_back({k, m.from});
      sites.push_back({k, m.to});
    }
    for (const auto &a : sites)
      for (const auto &b : sites)
        overlaps += a.first < b.first && brute(box, a.second, b.second) <= 2 * RANGE;
    for (const McMove &m : batch)
      if (!m.impossible && m.u < 0.6) moves.accept(m);
  }
  const std::string s(name);
  check(s + ": zones that overlap", overlaps, 0);
  check(s + ": moves of wrong types", wrong, 0);
  check(s + ": steps beyond dmax", longest, 0.4);
  check(s + ": steps shorter than dmax", 0.4 - longest, 0.02);
  check(s + ": steps through a wall", walls, 0);
  check(s + ": share of steps that leave their cell", left / displaced, 0.25);
  check(s + ": there are some", 0.1 - left / displaced, 0);
  check(s + ": batches are larger than one", 3 - largest, 0);
  check(s + ": and not too large", largest, 6);
  double pairs = 0;
  for (const auto &p : seen) pairs += p.second;
  for (const auto &p : seen) check(s + ": pairs alike", std::abs(p.second / pairs - 1. / 3), 0.06);
  for (int t = 1; t <= 5; t++) check(s + ": numbers", std::abs(number(moves, t) - before[t]), 0);
}

template <class Body> void throws(const std::string &what, const Body &body)
{
  double caught = 0;
  try {
    body();
  } catch (const std::invalid_argument &) {
    caught = 1;
  }
  check(what + " is an error", 1 - caught, 0);
}

}    // namespace

int main()
{
  distances(TILTED, "tilted");
  distances(SLAB, "slab");
  batches(TILTED, "tilted");
  batches(SLAB, "slab");

  Rng rng(1, 1);
  McMoves alone({{1, 2}, {}, 0.0, 0.5}, TILTED, particles(TILTED, 40));
  check("one move where one is asked for", std::abs(double(alone.draw(1, 1e3, rng).size()) - 1), 0);
  check("one move where zones fill the cell", std::abs(double(alone.draw(9, 1e3, rng).size()) - 1),
        0);
  throws("no atoms", [] { McMoves({{1, 2}, {}, 0.0, 0.5}, TILTED, {}); });
  throws("one type", [] { McMoves({{5, 6}, {}, 0.0, 0.5}, TILTED, particles(TILTED, 40)); });

  McBox flat = SLAB;
  flat.dimension = 2;
  McMoves plane({{}, {5}, 0.4, 0.5}, flat, particles(flat, 40));
  double off = 0.0;
  for (int n = 0; n < 50; n++)
    for (const McMove &m : plane.draw(1, 1.0, rng)) off += std::abs(m.to[2] - m.from[2]);
  check("two dimensions", off, 0);

  check("metropolis: down", !metropolis(-1.0, 0.1, 0.999), 0);
  check("metropolis: up", std::abs(metropolis(0.1, 0.1, 0.36) - metropolis(0.1, 0.1, 0.37) - 1.0),
        0);
  check("metropolis: not a number", metropolis(std::nan(""), 0.1, 0.0), 0);
  check("metropolis: into a pole", metropolis(-HUGE_VAL, 0.1, 0.0), 0);
  return failures > 0;
}
