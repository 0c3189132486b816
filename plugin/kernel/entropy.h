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

#include "moments.h"

#include <vector>

namespace smax {

class EntropyObjective {
 public:
  explicit EntropyObjective(int nfeatures);

  // Dataset D (N = 0 allowed: C = 0). variance[n] > 0: diagonal of R; eps > 0.
  // Throws std::invalid_argument on bad input, std::runtime_error if C + eps R is not positive
  // definite in double precision.
  void set_dataset(const Moments &dataset, const double *variance, double eps);

  double entropy() const;     // S(D)
  int64_t count() const;      // N of D

  // Candidate in three steps, so that ranks can share one candidate:
  // 1. add(): sums over this rank's m rows b[m * n] into sums[nsums()] (caller zeroes it first).
  // 2. the caller adds sums over ranks.
  // 3. delta(): dS of the whole candidate; keeps (1 + X)^-1 for gradient().
  size_t nsums() const;
  void add(int m, const double *b, double *sums);
  double delta(const double *sums);
  // grad[m * n] = prefactor * ddS/db for rows b[m * n]; after delta().
  void gradient(int m, const double *b, double prefactor, double *grad);

  // dS of a candidate known by its moments.
  double delta(const Moments &candidate);

 private:
  int n;
  // (helper arrays)
};

}    // namespace smax

#endif
