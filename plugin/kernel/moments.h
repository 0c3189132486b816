// Additive moments of a set of feature vectors: count, mean, scatter.

#ifndef SMAX_MOMENTS_H
#define SMAX_MOMENTS_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace smax {

struct Moments {
  int n = 0;                      // features per vector
  int64_t count = 0;              // N, vectors
  std::vector<double> mean;       // [n]
  std::vector<double> scatter;    // [n * n] row-major, symmetric: sum (b - mean)(b - mean)^T

  Moments() = default;
  explicit Moments(int nfeatures) :
      n(nfeatures), mean(nfeatures, 0.0), scatter(size_t(nfeatures) * nfeatures, 0.0)
  {
  }

  // Moments of m rows b[m * n]; two passes, so that the scatter does not cancel.
  static Moments of(int nfeatures, int64_t m, const double *b);

  // Chan et al. (1983): exact merge of two disjoint sets. Throws std::invalid_argument if n
  // differs.
  void merge(const Moments &other);

  // Flat image for messages and files: count, mean, upper triangle of scatter by rows.
  static size_t packed_size(int nfeatures)
  {
    return 1 + nfeatures + size_t(nfeatures) * (nfeatures + 1) / 2;
  }
  void pack(double *out) const;
  static Moments unpack(int nfeatures, const double *in);
};

}    // namespace smax

#endif
