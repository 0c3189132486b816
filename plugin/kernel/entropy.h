// Feature entropy of a dataset and its exact change when a candidate is added.
//
//   S(D)    = 1/2 log det (C + eps R),  C = scatter / N,  R = diag(variance)      [nats]
//   dS      = S(D + x) - S(D)
//   ddS/db  = (1/N') (C' + eps R)^-1 (b - mu')
//
// Paper: arXiv 2602.23489, Eqs. 3-5. dS is O(n/N), so it is never a difference of two determinants:
// with C + eps R = L L^T (in standardised features) and X = L^-1 (C' - C) L^-T,
// dS = 1/2 log det (1 + X), summed as log1p of the pivots of 1 + X.

#ifndef SMAX_ENTROPY_H
#define SMAX_ENTROPY_H

#include "bispectrum.h"
#include "linalg.h"
#include "moments.h"

#include <cstddef>
#include <vector>

namespace smax {

struct EntropyOperands;
struct EntropyBlocks;

class EntropyObjective {
 public:
  // isa: Plain gives the same bits on every processor of one architecture; Avx512 runs as Avx2.
  // Throws std::invalid_argument for nfeatures < 1 or a level this processor lacks.
  explicit EntropyObjective(int nfeatures, Isa isa = Isa::Auto);

  // Dataset D (N = 0 allowed: C = 0). variance[n] > 0: diagonal of R; eps > 0.
  // With N = 0 the mean is only the origin from which rows are taken: the result does not depend on
  // it, but loses log10((b - mean)^2 / (eps variance)) of its 16 digits.
  // Throws std::invalid_argument on bad input, std::runtime_error if C + eps R is not positive
  // definite in double precision; the former dataset then stays.
  void set_dataset(const Moments &dataset, const double *variance, double eps);

  double entropy() const;                     // S(D)
  int64_t count() const { return nold; }      // N of D
  bool empty() const { return nold == 0; }    // N = 0, also before set_dataset()
  Isa isa() const { return level; }           // Plain or Avx2

  // Candidate in three steps, so that ranks can share one candidate:
  // 1. add(): sums over this rank's m rows b[m * n] into sums[nsums()] (caller zeroes it first):
  //    n of sum y, n (n + 1) / 2 of sum y y^T (upper triangle by rows), m; y = L^-1 (b - mu)
  //    whitened. Rows that are not finite are not an error here (one rank alone must not stop) but
  //    in delta().
  // 2. the caller adds sums over ranks.
  // 3. delta(): dS of the whole candidate; keeps the factors of 1 + X for gradient(). Exactly 0 for
  //    m = 0 and for N' <= 1. Throws std::invalid_argument if sums are not finite,
  //    std::runtime_error if 1 + X is not positive definite in double precision.
  //    Error for N > n: dS about 1e-12 of sum |t| over the pivots 1 + t, gradient 1e-12 of its
  //    norm; for N < n both also grow as 1e-16 |1 + X| (tests/unit/test_entropy.py).
  size_t nsums() const { return size_t(n) + size_t(n) * (n + 1) / 2 + 1; }
  void add(int m, const double *b, double *sums);
  double delta(const double *sums);
  // grad[m * n] = prefactor * ddS/db for rows b[m * n]; after delta(), else std::logic_error.
  void gradient(int m, const double *b, double prefactor, double *grad);

  // dS of a candidate known by its moments; gradient() may follow as well.
  double delta(const Moments &candidate);

 private:
  int n, ld;    // features; row length: n rounded up to 8
  Isa level;
  int64_t nold = 0;
  double s_old = 0.0, nnew = 0.0;    // S(D); N' of the last delta()
  bool ready = false, factored = false;
  std::vector<double> mean;                 // [n] of D
  std::vector<double> shrink;               // packed upper triangle of L^-1 C L^-T
  std::vector<double> shift;                // [n] whitened mu' - mu
  std::vector<double> pivots;               // [ld] pivots of 1 + X, minus one
  AlignedVector to_white, from_white;       // [ld * ld] (L^-1 R^-1/2)^T, and its transpose
  AlignedVector x, lower;                   // [ld * ld] factors of 1 + X
  AlignedVector diag_forward, diag_back;    // [ld * 4] inverse diagonal blocks of the factors
  AlignedVector rows_a, rows_b;             // [CHUNK * ld] rows on their way

  void need_dataset() const;
  void load(int m, const double *b);
  std::vector<double> whiten_columns(const std::vector<double> &a);
  double factor(double m, double outer_weight, const double *s, const double *q);
  EntropyOperands operands();
  const EntropyBlocks &blocks() const;
};

}    // namespace smax

#endif
