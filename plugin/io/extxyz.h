// Extended XYZ frames: written as ASE and OVITO read them, read from any of theirs.

#ifndef SMAX_EXTXYZ_H
#define SMAX_EXTXYZ_H

#include "recipe.h"
#include "text.h"    // shortest()

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace smax {

// One frame to write: Lattice, Properties=species:S:1:pos:R:3:r_eff:R:1, info, pbc="T T T"; numbers
// read back as the same double. info: key=value in this order, values written verbatim.
std::string format_extxyz(const Candidate &atoms,
                          const std::vector<std::pair<std::string, std::string>> &info);
// Any frame read: general cell, any periodicity.
struct ExtxyzFrame {
  double cell[3][3] = {};    // rows a, b, c, Angstrom
  bool has_cell = false;     // Lattice given
  bool pbc[3] = {};          // default: true if Lattice given, else false
  bool periodic() const { return pbc[0] || pbc[1] || pbc[2]; }
  std::vector<int> z;
  std::vector<double> x;         // [3 * natoms] Angstrom
  std::vector<double> radius;    // r_eff column; empty if absent
};

// Streams frames; next() returns false at the end of the file. Errors are std::runtime_error with
// one sentence naming path, frame number (from 1), line, what was found and what was expected.
// Properties: species (S:1), or Z or numbers (I:1); pos (R:3); r_eff (R:1) if there; others
// skipped. Without Lattice and Properties: plain XYZ, "symbol x y z ..." and no cell. Memory is
// bounded by what the file holds, not by what it claims.
class ExtxyzReader {
 public:
  explicit ExtxyzReader(const std::string &path);
  ~ExtxyzReader();
  ExtxyzReader(const ExtxyzReader &) = delete;
  ExtxyzReader &operator=(const ExtxyzReader &) = delete;
  bool next(ExtxyzFrame &frame);
  bool skip();    // over one frame, without parsing its atoms
  int64_t frames() const { return nframes; }

 private:
  struct Layout;
  bool line(std::string &out);
  int64_t header();
  void row(const std::string &text, const Layout &layout, ExtxyzFrame &frame);
  [[noreturn]] void fail(const std::string &found, const std::string &expected) const;
  Layout parse_comment(const std::string &text, ExtxyzFrame &frame) const;

  std::string path;
  FILE *fp = nullptr;
  std::vector<char> buffer;
  size_t position = 0, filled = 0;    // of buffer
  int64_t nframes = 0, nlines = 0;
};

// Any frame as a restricted-triclinic, lattice-reduced periodic cell (the features see rotations
// and other choices of the same lattice as the same), atoms wrapped into it. Directions that are
// not periodic get, at right angles to the others, the extent of the atoms plus a vacuum beyond
// every cutoff: vacuum_factor (2 rcutfac, say) times max(radius) plus 0.1 Angstrom. radius: r_eff
// where the frame has it, else covalent[z]. Throws std::invalid_argument: degenerate cell, periodic
// without a Lattice, no atom, no positive radius.
Candidate to_candidate(const ExtxyzFrame &frame, const double *covalent /*[MAX_Z + 1]*/,
                       double vacuum_factor = 6.0);

}    // namespace smax

#endif
