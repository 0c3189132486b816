// Bispectrum components of neighbour densities (SNAP) and their gradient. No LAMMPS, no MPI.
//
// A. P. Thompson et al., J. Comput. Phys. 285, 316 (2015), doi:10.1016/j.jcp.2014.12.018.
// Numbers equal LAMMPS compute sna/atom (weights 1, wselfall 0, bnormflag 0).

#ifndef SMAX_BISPECTRUM_H
#define SMAX_BISPECTRUM_H

#include <memory>

namespace smax {

struct BispectrumParams {
  int twojmax = 8;           // 2..14
  double rfac0 = 0.99363;    // (0, 1]
  double rmin0 = 0.0;        // Angstrom, >= 0 and below every cutoff
  bool bzeroflag = true;     // subtract the isolated atom
  bool switchflag = true;    // smooth cutoff function
};

enum class Isa { Auto, Plain, Avx2, Avx512 };

// Parse "auto|plain|avx2|avx512"; throws std::invalid_argument.
Isa isa_from_name(const char *name);
const char *isa_name(Isa isa);
// Best level that this processor runs.
Isa isa_best();

// Neighbours of natoms atoms, in compressed rows: pairs first[i]..first[i+1]-1 belong to atom i.
// dx, dy, dz: r_j - r_i (Angstrom), r > 0; rcut: cutoff of that pair (Angstrom). Pairs with
// r >= rcut add exactly zero.
// The caller owns every array.
struct Neighbours {
  int natoms = 0;
  const int *first = nullptr;    // [natoms + 1]
  const double *dx = nullptr;    // [first[natoms]] each
  const double *dy = nullptr;
  const double *dz = nullptr;
  const double *rcut = nullptr;
};

class Bispectrum {
 public:
  // Throws std::invalid_argument for a parameter out of range or a level this processor lacks.
  explicit Bispectrum(const BispectrumParams &params, Isa isa = Isa::Auto);
  ~Bispectrum();
  Bispectrum(const Bispectrum &) = delete;
  Bispectrum &operator=(const Bispectrum &) = delete;

  int ncoeff() const;    // number of components n: 55 at twojmax 8
  Isa isa() const;       // level in use, never Auto
  static int count(int twojmax);

  // b[natoms * n], row-major. Keeps what gradient() needs until the next call.
  void features(const Neighbours &neigh, double *b);

  // After features() on the same neigh: for E with beta[natoms * n] = dE/db, writes
  // gx, gy, gz [npairs] = dE/d(r_j - r_i) through the row of atom i only.
  // Throws std::logic_error if features() was not called on as many atoms and pairs.
  void gradient(const Neighbours &neigh, const double *beta, double *gx, double *gy, double *gz);

  double memory_usage() const;    // bytes

 private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

}    // namespace smax

#endif
