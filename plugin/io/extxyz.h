// Extended XYZ frames: written as ASE and OVITO read them, read from any of theirs.

#ifndef SMAX_EXTXYZ_H
#define SMAX_EXTXYZ_H

#include "recipe.h"

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace smax {

// One frame to write. info: key=value in this order, values written verbatim.
std::string format_extxyz(const Candidate &atoms,
                          const std::vector<std::pair<std::string, std::string>> &info);
// Shortest text that reads back as the same double.
std::string shortest(double v);

// Any frame read: general cell, any periodicity.
struct ExtxyzFrame {
  double cell[3][3];             // rows a, b, c
  bool has_cell = false;         // Lattice given
  bool pbc[3];                   // default: true if Lattice given, else false
  std::vector<int> z;
  std::vector<double> x;         // [3 * natoms] Angstrom
  std::vector<double> radius;    // r_eff column; empty if absent
};

// Streams frames; next() returns false at the end of the file. Errors are std::runtime_error with
// one sentence naming path, frame number, line, what was found and what was expected.
class ExtxyzReader {
 public:
  explicit ExtxyzReader(const std::string &path);
  ~ExtxyzReader();
  bool next(ExtxyzFrame &frame);
  bool skip();    // over one frame, without parsing its atoms
  int64_t frames() const { return nframes; }

 private:
  std::string path;
  FILE *fp = nullptr;
  int64_t nframes = 0, nlines = 0;
};

// Any frame as a restricted-triclinic, lattice-reduced periodic cell (the features see rotations
// and other choices of the same lattice as the same). Directions that are not periodic get a vacuum
// of at least `vacuum` Angstrom. radius default: recipe radius of the element.
Candidate to_candidate(const ExtxyzFrame &frame, const double *covalent /*[MAX_Z + 1]*/, double vacuum_factor);

}    // namespace smax

#endif
