// One instruction-set level of the bispectrum kernel, as plain data and functions.
//
// Plain pointers only: these files are compiled three times with different -m flags, and any inline
// code of the standard library emitted there could be picked by the linker for every processor.
//
// Vectors have `width` lanes. "Pair lanes" hold neighbours of one atom, "atom lanes" hold atoms.
// Complex arrays in atom lanes are [element][re, im][lane].

#ifndef SMAX_SNAP_KERNEL_H
#define SMAX_SNAP_KERNEL_H

#include <cstddef>
#include <cstdint>

namespace smax {
namespace snap {

constexpr int MAX_J = 14;                                 // largest twojmax
constexpr int MAX_TRI = (MAX_J + 1) * (MAX_J + 2) / 2;    // (l, j) pairs with l <= j
constexpr int MAX_LM = (MAX_J + 1) * (MAX_J + 1);         // (l, m) pairs
constexpr int MAX_OUT = 8;                                // outputs that share one product
constexpr int NGEOM = 9;                                  // vectors of a geometry record

// Sparse matrix by rows.
struct Sparse {
  int nrow;
  const int *start;    // [nrow + 1]
  const int *col;
  const double *value;
};

// Outputs Z[out[0..nout-1]] built from the same products u1 u2 (nplain) and u1 conj(u2) (nconj).
struct Group {
  uint16_t nout, nplain, nconj;
  uint32_t out[MAX_OUT];    // offsets into Z, in doubles
};

// Z of one j: [nelement][ntriple], the triples with a component of their own (nbs) first.
struct Block {
  int element;     // first element of U
  int nelement;    // unique elements: (j + 1)^2 / 2, rounded up
  int ntriple, nbs;
  int triple;    // first triple in the order of `beta`
  int z;         // first complex number of Z
};

struct Tables {
  int twojmax;
  int nelement;    // unique complex U
  int nbasis;      // real hyperspherical moments, sum (j + 1)^2
  int nz;          // complex Z
  int ntriple;
  const double *kradial;           // [l <= j] recursion in j at fixed l
  const double *kangular;          // [m <= l] recursion in l at fixed m
  Sparse expand;                   // moments -> U (rows: re, im of each element)
  Sparse gather;                   // dE/dU -> dE/dmoments
  const double *weight;            // [nelement] weight of an element in B
  const uint8_t *diagonal;         // [nelement] 1 where the atom itself adds 1
  const Block *block;              // [twojmax + 1]
  const Group *group;              // sorted by nout
  int group_start[MAX_OUT + 2];    // groups of nout outputs: group_start[nout]..[nout + 1]
  const uint16_t *pair;            // two offsets into U (doubles) a product
  const double *coef;              // nout numbers a product
};

struct Shape {
  double rmin0, rfac0;
  bool switching;
};

struct Kernel {
  int width;
  int max_out;    // outputs a group that registers can hold

  // Geometry records of n pairs: ceil(n / width) records of NGEOM vectors.
  void (*geometry)(const Shape &shape, int n, const double *dx, const double *dy, const double *dz,
                   const double *rcut, double *geom);
  // Moments of one atom into moments[k * width], from nrecord records.
  // work: nbasis vectors, rounded up to a multiple of width.
  void (*density)(const Tables &t, int nrecord, const double *geom, double *work, double *moments);
  // Atom lanes: moments -> u, z and components b[ncoeff][lane], in the order of the blocks.
  void (*couple)(const Tables &t, const double *moments, double *u, double *z, double *b);
  // Atom lanes: beta[ntriple][lane] and z -> y = dE/du (scratch), dmoments.
  void (*adjoint)(const Tables &t, const double *beta, const double *z, double *y,
                  double *dmoments);
  // Gradient of the n pairs of one atom from its dE/dmoments dm[nbasis].
  void (*force)(const Tables &t, int n, const double *geom, const double *dm, double *gx,
                double *gy, double *gz);
};

// Null where the level was not compiled in.
const Kernel *kernel_plain();
const Kernel *kernel_avx2();
const Kernel *kernel_avx512();

}    // namespace snap
}    // namespace smax

#endif
