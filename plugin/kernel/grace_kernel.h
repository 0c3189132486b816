// One instruction-set level of the GRACE kernel, as plain data and functions.
//
// Plain pointers only, for the reason given in snap_kernel.h. Matrices are by rows; "columns" are
// vector lanes, so counts of columns and leading dimensions are multiples of `width`.

#ifndef SMAX_GRACE_KERNEL_H
#define SMAX_GRACE_KERNEL_H

namespace smax {
namespace grace {

constexpr int MAX_L = 12;
constexpr int BLOCK = 16;    // most columns of a block: its layers stay in the first cache
constexpr int PAD = 8;       // channels are padded to whole vectors of the widest level

constexpr int padded(int n)
{
  return (n + PAD - 1) / PAD * PAD;
}

// Columns of bonds: ncol each.
struct Columns {
  int ncol;
  const double *dx, *dy, *dz;    // r_j - r_i
  const double *rcut;
  double *d;            // sqrt(r^2 + 1e-10), as the model defines a length
  double *x, *y, *z;    // r / d
};

// out[t] (+)= sum of coef * p[left] * q[right] over terms start[t]..start[t + 1] - 1
struct Bilinear {
  int nout, np, nq;    // functions of out, p and q
  const int *start, *left, *right;
  const double *coef;
};

// A[lm][atom][n] and T[lm][slot][n]; a slot is an atom and one element of its neighbours.
struct Slots {
  int nlm, nslot, natoms, n;
  const int *atom;                // [nslot]
  const double *const *weight;    // [nslot][n]
};

// Bonds of one atom: radial functions R[bond][ldr] by l and channel, harmonics Y[lm][ldy], messages
// M[bond][nb][n].
struct Messages {
  int lmax, nb, n, nbond;    // functions of a message, channels; nbond <= BLOCK
  const double *R, *Y, *M;
  long ldr, ldy;
};

struct Kernel {
  int width;

  // d, x, y, z; and rows b[k][2 ncol], k < nbasis: Chebyshev T_{k+1}(2u - 1) times the cutoff
  // function of order p, u = d / rcut, then its derivative by u. Zero for u >= 1.
  void (*bonds)(const Columns &c, int nbasis, int p, double *b);
  // Real harmonics Y[lm][ncol], times sqrt(4 pi); a and b are the recursions of grace_tables.h.
  void (*harmonics)(int lmax, const double *recursion, const Columns &c, double *Y);
  // Gradient by r_j - r_i from P[lm][2 ncol]: dE/dY, then sum over radial functions of
  // dE/dR dR/du / Y.
  void (*gradient)(int lmax, const double *recursion, const Columns &c, const double *Y,
                   const double *P, double *gx, double *gy, double *gz);

  // c[m][k] (+)= sum_n a[m][n] b[n][k]; b in panels of 2 * width columns (the last may be half as
  // wide), each panel [n][columns] without gaps
  void (*multiply)(int m, int n, int k, const double *a, long lda, const double *b, double *c,
                   long ldc, bool add);
  // The same with b by rows, all of it in the first cache
  void (*multiply_small)(int m, int n, int k, const double *a, long lda, const double *b, long ldb,
                         double *c, long ldc, bool add);
  // c[m][n] (+)= sum_k a[m][k] b[n][k]; n a multiple of width
  void (*multiply_rows)(int m, int n, int k, const double *a, long lda, const double *b, long ldb,
                        double *c, long ldc, bool add);

  // Rows of values z, then derivatives dz: silu(z), then, if wanted, silu'(z) dz. ncol of each.
  void (*silu_rows)(int nrow, int ncol, double *z, bool derivatives);
  // z[n] -> f(z), slope[n] = f'(z)
  void (*silu)(int n, double *z, double *slope);
  void (*tanh)(int n, double *z, double *slope);

  // work: 4 * width * (np + nq)
  void (*bilinear)(const Bilinear &f, int ncol, const double *p, const double *q, double *out,
                   bool add, double *work);

  // out[t] (+)= sum of coef * p[left]
  void (*linear)(const Bilinear &f, int ncol, const double *p, double *out, bool add);

  void (*sum_slots)(const Slots &s, const double *T, double *A);         // A += weight T
  void (*spread_slots)(const Slots &s, const double *dA, double *dT);    // dT = weight dA

  // A[lm][nb][n] += sum over bonds of R Y M
  void (*sum_messages)(const Messages &s, double *A);
  // From G = dE/dA the gradients by R, Y and M, laid out as those, overwritten
  void (*spread_messages)(const Messages &s, const double *G, double *dR, double *dY, long lddy,
                          double *dM);
};

// Null where the level was not compiled in.
const Kernel *kernel_plain();
const Kernel *kernel_avx2();
const Kernel *kernel_avx512();

}    // namespace grace
}    // namespace smax

#endif
