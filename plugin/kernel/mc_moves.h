// Monte Carlo moves on particles that every rank knows: exchanges of the types of two particles and
// displacements of one, drawn in batches of moves that do not feel each other.
//
// A batch is evaluated at once and each of its moves accepted or rejected by itself. That keeps
// detailed balance because
//   - the zones of its moves (balls of radius range around their sites) are disjoint, so a move
//     changes no energy that another one changes;
//   - a batch is as probable after any subset of its moves is accepted as before: an exchange
//     happens inside the zones taken, so the number of particles of each type outside is the same,
//     and with it the probability of each draw, of those that were thrown away too. A displaced
//     particle stays in one cell of a grid with a random origin, and zones see cells only.
// How many moves a batch has depends on the state: chains must count batches, not moves.

#ifndef SMAX_MC_MOVES_H
#define SMAX_MC_MOVES_H

#include "rng.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace smax {

// Restricted triclinic cell, in LAMMPS' order: h = lx, ly, lz, yz, xz, xy.
struct McBox {
  double lo[3], h[6];
  bool periodic[3];
  int dimension = 3;    // 2: nothing is displaced along z
};

// Distances to the images of a point; exact for cells of any size and tilt.
class McDistance {
 public:
  McDistance() = default;
  explicit McDistance(const McBox &box);
  bool within(const double *a, const double *b, double reach) const;
  double shortest(const double *a, const double *b) const;

 private:
  double h[6] = {1, 1, 1, 0, 0, 0};
};

struct McParticle {
  std::int64_t tag;
  int type;
  double x[3];
};

struct McMove {
  int i, j;           // particles; j = -1: displacement of i
  double from[3];     // displacement: where i is,
  double to[3];       //   and where it would go
  bool impossible;    // through a wall or out of its cell: rejected without a look at the energy
  double u;           // [0, 1), for the Metropolis criterion
};

// exp(-dE/kT) > u; false if dE is not finite
bool metropolis(double dE, double kT, double u);

struct McMoveKinds {
  std::vector<int> swap, displace;    // types; none in both
  double dmax = 0.0;                  // displacements are uniform in a ball of this radius
  double fraction = 0.5;              // of displacements, if there are both kinds
};

class McMoves {
 public:
  McMoves() = default;
  // Particles, in an order that does not depend on the number of ranks. Throws
  // std::invalid_argument if no move is possible.
  McMoves(const McMoveKinds &kinds, const McBox &box, std::vector<McParticle> particles);

  // Up to most moves, at least one. With most > 1: for energies of range `range`.
  std::vector<McMove> draw(int most, double range, Rng &rng);
  // Takes the move into the particles.
  void accept(const McMove &move);

  const std::vector<McParticle> &particles() const { return all; }
  const McDistance &distance() const { return metric; }

 private:
  struct Site {
    double x[3], radius;
  };
  struct Grid {
    double origin[3];    // fractional
    int n[3];
    double radius;    // of a ball around a cell
  };
  McMoveKinds kinds;
  McBox box;
  McDistance metric;
  std::vector<McParticle> all;
  std::vector<std::vector<int>> of_type;    // particles that are exchanged
  std::vector<int> slot;                    // place of a particle in of_type
  std::vector<int> movable;
  std::vector<std::pair<int, int>> pairs;    // types with particles

  bool draw_one(McMove &m, const Grid *grid, std::vector<Site> &taken, double range, Rng &rng);
  bool is_free(const Site &s, const std::vector<Site> &taken, double range) const;
  Grid make_grid(Rng &rng) const;
  void cell_of(const Grid &grid, const double *x, int *cell) const;
  Site site_of(const Grid &grid, const double *x) const;
  void fractional(const double *x, double *s) const;
  bool through_wall(const double *x) const;
};

}    // namespace smax

#endif
