#include "moments.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace smax {

namespace {

// Rows of one plain two-pass sum; longer sets are halved, so that rounding grows with log(m).
constexpr int64_t CHUNK = 1024;

void mirror(int n, double *a)
{
  for (int i = 0; i < n; i++)
    for (int j = 0; j < i; j++) a[size_t(i) * n + j] = a[size_t(j) * n + i];
}

// a += f d d^T, upper triangle.
void add_outer(int n, double f, const double *d, double *a)
{
  for (int i = 0; i < n; i++) {
    double *row = a + size_t(i) * n;
    const double fd = f * d[i];
    for (int j = i; j < n; j++) row[j] += fd * d[j];
  }
}

// Upper triangle of scatter only.
Moments two_pass(int n, int64_t m, const double *b)
{
  Moments out(n);
  out.count = m;
  if (m == 0) return out;

  for (int64_t i = 0; i < m; i++)
    for (int k = 0; k < n; k++) out.mean[k] += b[i * n + k];
  for (double &v : out.mean) v /= double(m);

  std::vector<double> d(n), rest(n, 0.0);
  for (int64_t i = 0; i < m; i++) {
    for (int k = 0; k < n; k++) {
      d[k] = b[i * n + k] - out.mean[k];
      rest[k] += d[k];
    }
    add_outer(n, 1.0, d.data(), out.scatter.data());
  }
  // what the rounding of the mean left behind
  add_outer(n, -1.0 / double(m), rest.data(), out.scatter.data());
  for (int k = 0; k < n; k++) out.mean[k] += rest[k] / double(m);
  return out;
}

}    // namespace

Moments Moments::of(int nfeatures, int64_t m, const double *b)
{
  if (m < 0)
    throw std::invalid_argument("moments: number of rows is " + std::to_string(m) +
                                ", expected 0 or more");
  if (m > CHUNK) {
    const int64_t half = m / 2;
    Moments out = of(nfeatures, half, b);
    out.merge(of(nfeatures, m - half, b + half * nfeatures));
    return out;
  }
  Moments out = two_pass(nfeatures, m, b);
  mirror(nfeatures, out.scatter.data());
  return out;
}

void Moments::merge(const Moments &other)
{
  if (other.n != n)
    throw std::invalid_argument("moments: " + std::to_string(other.n) +
                                " features in the set to merge, expected " + std::to_string(n));
  if (other.count == 0) return;
  if (count == 0) {
    *this = other;
    return;
  }
  const double na = double(count), nb = double(other.count), total = na + nb;
  std::vector<double> d(n);
  for (int k = 0; k < n; k++) d[k] = other.mean[k] - mean[k];
  for (size_t k = 0; k < scatter.size(); k++) scatter[k] += other.scatter[k];
  add_outer(n, na * (nb / total), d.data(), scatter.data());
  mirror(n, scatter.data());
  for (int k = 0; k < n; k++) mean[k] += d[k] * (nb / total);
  count += other.count;
}

void Moments::pack(double *out) const
{
  *out++ = double(count);
  for (const double v : mean) *out++ = v;
  for (int i = 0; i < n; i++)
    for (int j = i; j < n; j++) *out++ = scatter[size_t(i) * n + j];
}

Moments Moments::unpack(int nfeatures, const double *in)
{
  const double c = *in++;
  if (!(c >= 0.0 && c <= 0x1p53 && c == std::floor(c)))
    throw std::invalid_argument("moments: count is " + std::to_string(c) +
                                ", expected a whole number from 0 to 2^53");
  Moments out(nfeatures);
  out.count = int64_t(c);
  for (double &v : out.mean) v = *in++;
  for (int i = 0; i < nfeatures; i++)
    for (int j = i; j < nfeatures; j++) out.scatter[size_t(i) * nfeatures + j] = *in++;
  mirror(nfeatures, out.scatter.data());
  return out;
}

}    // namespace smax
