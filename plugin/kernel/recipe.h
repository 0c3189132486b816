// Random multi-element candidates: composition, radii, cell, placement. Deterministic in (seed,
// index).

#ifndef SMAX_RECIPE_H
#define SMAX_RECIPE_H

#include "elements.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace smax {

struct Candidate {
  // Restricted triclinic, lattice-reduced: a = (lx,0,0), b = (xy,ly,0), c = (xz,yz,lz). Angstrom.
  double lx = 0, ly = 0, lz = 0, xy = 0, xz = 0, yz = 0;
  std::vector<int> z;            // [natoms] atomic numbers
  std::vector<double> radius;    // [natoms] effective radii, Angstrom
  std::vector<double> x;         // [3 * natoms] Cartesian, inside the cell, Angstrom
  double volume() const { return lx * ly * lz; }
};

// Every default is a row of the recipe; each is a keyword of set().
struct Recipe {
  Recipe();

  // One keyword and its values. Throws std::invalid_argument with one sentence that names the
  // keyword, the value and what was expected.
  void set(const std::string &keyword, const std::vector<std::string> &values);
  // Keywords: elements, weights, radii, nelements, natoms, stoichiometry, radius_width,
  // radius_beta, volume, shapes, angles. In values , : { } [ ] ( ) and quotes separate like blanks.
  // "elements" limits the draw to its list and keeps weights already set; "weights" adds to it.
  // A text file, one "keyword value ..." or "keyword: value ..." a line, '#' comments. On an error,
  // which names path:line, the recipe is left as it was.
  void read(const std::string &path);
  // The whole recipe in the format of read(): what was used, for the log.
  std::string describe() const;
  static bool is_keyword(const std::string &keyword);
  // Checked before the first candidate: consistent and able to give one. Throws as set().
  void validate() const;

  double weight[MAX_Z + 1];                  // element weights; 0: not used
  double radius[MAX_Z + 1];                  // covalent radii, Angstrom
  std::vector<double> nelements;             // weight of 1, 2, ... distinct elements
  std::vector<double> natoms;                // weight of 1, 2, ... atoms
  std::vector<std::pair<int, int>> fixed;    // fixed stoichiometry (z, count); empty: random
  double width = 0.3, beta_a = 1.25, beta_b = 1.25;    // effective radii
  double volume_lo = 1.0, volume_hi = 3.5;             // times mean(4/3 pi r^3), per atom
  std::vector<std::vector<double>> shapes;             // edge ratios before + U(0,1)^3
  double angle_lo = 60.0, angle_hi = 90.0;             // degrees
};

// Candidate number index of stream seed, for a recipe that passed validate(); a pure function of
// its arguments. Draws, in order: atoms by natoms (no fewer than the fewest elements); elements by
// nelements (no more than atoms), by weight and without repetition; counts uniform over all
// multisets in which each drawn element occurs (fixed: a whole multiple of the formula unit that
// natoms gives weight to, else the unit itself); radii; volume; shape; angles; positions, uniform.
// Placement p > 0: the same cell, elements and radii, with the atoms placed for the (p + 1)-th
// time. Throws std::runtime_error if none can be made.
Candidate make_candidate(const Recipe &recipe, uint64_t seed, uint64_t index, int placement = 0);

}    // namespace smax

#endif
