// Aligned arrays and the extended-precision factorisation behind EntropyObjective.

#ifndef SMAX_LINALG_H
#define SMAX_LINALG_H

#include <cmath>
#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace smax {

template <class T> struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t ALIGN{64};

  AlignedAllocator() = default;
  template <class U> AlignedAllocator(const AlignedAllocator<U> &) {}
  T *allocate(std::size_t size)
  {
    return static_cast<T *>(::operator new(size * sizeof(T), ALIGN));
  }
  void deallocate(T *p, std::size_t) { ::operator delete(p, ALIGN); }
  template <class U> bool operator==(const AlignedAllocator<U> &) const { return true; }
  template <class U> bool operator!=(const AlignedAllocator<U> &) const { return false; }
};
using AlignedVector = std::vector<double, AlignedAllocator<double>>;

// Once per dataset: rounding of the factor L of C + eps R would enter dS times the condition number
// (1e6 and more); rounding of L^-1 to double enters times its square root.
using Real = long double;

// a[n * n] row-major, upper triangle: a = U^T U in place. Returns log det a.
// Throws std::runtime_error if a is not positive definite.
inline Real cholesky(int n, std::vector<Real> &a)
{
  Real logdet = 0;
  for (int k = 0; k < n; k++) {
    Real *u = &a[std::size_t(k) * n];
    if (!(u[k] > 0 && std::isfinite(u[k])))
      throw std::runtime_error("entropy: pivot " + std::to_string(k) +
                               " of covariance + eps R in units of R is " +
                               std::to_string(double(u[k])) + ", expected above 0: raise eps");
    logdet += std::log(u[k]);
    const Real inverse = 1 / std::sqrt(u[k]);
    for (int j = k; j < n; j++) u[j] *= inverse;
    for (int i = k + 1; i < n; i++)
      for (int j = i; j < n; j++) a[std::size_t(i) * n + j] -= u[i] * u[j];
  }
  return logdet;
}

// U^-1 of an upper triangle u[n * n], row-major, zero below.
inline std::vector<Real> invert_upper(int n, const std::vector<Real> &u)
{
  std::vector<Real> t(u.size(), 0);
  for (int i = n - 1; i >= 0; i--) {
    Real *row = &t[std::size_t(i) * n];
    row[i] = 1;
    for (int j = i + 1; j < n; j++) {
      const Real f = u[std::size_t(i) * n + j], *other = &t[std::size_t(j) * n];
      for (int k = j; k < n; k++) row[k] -= f * other[k];
    }
    const Real inverse = 1 / u[std::size_t(i) * n + i];
    for (int k = i; k < n; k++) row[k] *= inverse;
  }
  return t;
}

// Packed upper triangle of 1 - f T^T T, T upper.
inline std::vector<double> one_minus_gram(int n, const std::vector<Real> &t, Real f)
{
  std::vector<Real> w;
  for (int i = 0; i < n; i++)
    for (int j = i; j < n; j++) w.push_back(i == j ? 1 : 0);
  for (int k = 0; k < n; k++) {
    const Real *row = &t[std::size_t(k) * n];
    Real *out = w.data() + std::size_t(k) * n - std::size_t(k) * (k - 1) / 2;
    for (int i = k; i < n; i++) {
      const Real fi = f * row[i];
      for (int j = i; j < n; j++) *out++ -= fi * row[j];
    }
  }
  return std::vector<double>(w.begin(), w.end());
}

}    // namespace smax

#endif
