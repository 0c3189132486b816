#include "entropy.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace smax {

constexpr int PANEL = 4;     // pivots eliminated together
constexpr int CHUNK = 32;    // rows in work at once: they stay in the first-level cache

// Where entropy_blocks.h works; shapes as in EntropyObjective.
struct EntropyOperands {
  int n;
  size_t ld;
  const double *to_white, *from_white;
  double *x, *lower, *diag_forward, *diag_back;
};

struct EntropyBlocks {
  void (*whiten)(const EntropyOperands &, int m, double *z, double *y);
  void (*gradient)(const EntropyOperands &, int m, double *v, double *out);
  void (*outer)(const EntropyOperands &, int m, const double *y, double *packed);
  void (*factor)(const EntropyOperands &, double *t);
};

}    // namespace smax

#define SMAX_BLOCKS entropy_plain
#define SMAX_TARGET
#define SMAX_LANES 2
#include "entropy_blocks.h"

#if defined(__x86_64__)
#define SMAX_BLOCKS entropy_avx2
#define SMAX_TARGET __attribute__((target("avx2,fma")))
#define SMAX_LANES  4
#include "entropy_blocks.h"
#endif

namespace smax {

namespace {

bool have_avx2()
{
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

Isa choose(Isa wanted)
{
  if (wanted == Isa::Auto) return have_avx2() ? Isa::Avx2 : Isa::Plain;
  if (wanted == Isa::Plain) return Isa::Plain;
  if (!have_avx2())
    throw std::invalid_argument("entropy: isa is avx2 or avx512, expected plain on this processor");
  return Isa::Avx2;
}

void need_finite(const char *what, const double *v, size_t size)
{
  for (size_t k = 0; k < size; k++)
    if (!std::isfinite(v[k]))
      throw std::invalid_argument("entropy: " + std::string(what) + "[" + std::to_string(k) +
                                  "] is " + std::to_string(v[k]) + ", expected a finite number");
}

void need_features(const char *what, const Moments &m, int n)
{
  if (m.n != n || m.mean.size() != size_t(n) || m.scatter.size() != size_t(n) * n)
    throw std::invalid_argument("entropy: " + std::string(what) + " has " + std::to_string(m.n) +
                                " features, expected " + std::to_string(n));
  if (m.count < 0)
    throw std::invalid_argument("entropy: " + std::string(what) + " count is " +
                                std::to_string(m.count) + ", expected 0 or more");
  need_finite((std::string(what) + " mean").c_str(), m.mean.data(), m.mean.size());
  need_finite((std::string(what) + " scatter").c_str(), m.scatter.data(), m.scatter.size());
}

void check_dataset(const Moments &dataset, const double *variance, double eps, int n)
{
  need_features("dataset", dataset, n);
  need_finite("variance", variance, n);
  for (int k = 0; k < n; k++)
    if (!(variance[k] > 0.0))
      throw std::invalid_argument("entropy: variance[" + std::to_string(k) + "] is " +
                                  std::to_string(variance[k]) + ", expected above 0");
  if (!(std::isfinite(eps) && eps > 0.0))
    throw std::invalid_argument("entropy: eps is " + std::to_string(eps) +
                                ", expected a finite number above 0");
}

void need_rows(int m)
{
  if (m < 0)
    throw std::invalid_argument("entropy: number of rows is " + std::to_string(m) +
                                ", expected 0 or more");
}

constexpr const char *NOT_POSITIVE = "entropy: 1 + X of the candidate is not positive definite in "
                                     "double precision, expected features "
                                     "within the range of the dataset";

}    // namespace

EntropyObjective::EntropyObjective(int nfeatures, Isa isa) :
    n(nfeatures), ld((nfeatures + 7) / 8 * 8), level(choose(isa))
{
  if (n < 1)
    throw std::invalid_argument("entropy: number of features is " + std::to_string(n) +
                                ", expected 1 or more");
  for (AlignedVector *v : {&to_white, &from_white, &x, &lower}) v->assign(size_t(ld) * ld, 0.0);
  for (AlignedVector *v : {&diag_forward, &diag_back}) v->assign(size_t(ld) * PANEL, 0.0);
  for (AlignedVector *v : {&rows_a, &rows_b}) v->assign(size_t(ld) * CHUNK, 0.0);
  mean.assign(n, 0.0);
  shift.assign(n, 0.0);
  pivots.assign(ld, 0.0);
}

EntropyOperands EntropyObjective::operands()
{
  return {n,        size_t(ld),   to_white.data(),     from_white.data(),
          x.data(), lower.data(), diag_forward.data(), diag_back.data()};
}

const EntropyBlocks &EntropyObjective::blocks() const
{
#if defined(__x86_64__)
  if (level == Isa::Avx2) return entropy_avx2::blocks;
#endif
  return entropy_plain::blocks;
}

void EntropyObjective::set_dataset(const Moments &dataset, const double *variance, double eps)
{
  check_dataset(dataset, variance, eps, n);
  std::vector<Real> sd(n), a(size_t(n) * n, 0);
  Real logdet = 0;
  for (int i = 0; i < n; i++) {
    sd[i] = std::sqrt(Real(variance[i]));
    logdet += std::log(Real(variance[i]));
  }
  const Real scale = dataset.count > 0 ? Real(1) / dataset.count : 0;
  for (int i = 0; i < n; i++) {
    for (int j = i; j < n; j++)
      a[size_t(i) * n + j] = scale * dataset.scatter[size_t(i) * n + j] / (sd[i] * sd[j]);
    a[size_t(i) * n + i] += eps;
  }
  logdet += cholesky(n, a);

  const std::vector<Real> t = invert_upper(n, a);
  for (int j = 0; j < n; j++)
    for (int k = j; k < n; k++) {
      const double v = double(t[size_t(j) * n + k] / sd[j]);
      to_white[size_t(j) * ld + k] = v;
      from_white[size_t(k) * ld + j] = v;
    }
  shrink = one_minus_gram(n, t, eps);
  if (dataset.count == 0) std::fill(shrink.begin(), shrink.end(), 0.0);
  mean = dataset.mean;
  nold = dataset.count;
  s_old = double(logdet / 2);
  ready = true;
  factored = false;
}

void EntropyObjective::need_dataset() const
{
  if (!ready) throw std::logic_error("entropy: no dataset is set, expected set_dataset() first");
}

double EntropyObjective::entropy() const
{
  need_dataset();
  return s_old;
}

// rows_a = b - mean, rows_b = the same whitened; m <= CHUNK.
void EntropyObjective::load(int m, const double *b)
{
  double *z = rows_a.data();
  for (int i = 0; i < m; i++, b += n, z += ld)
    for (int k = 0; k < n; k++) z[k] = b[k] - mean[k];
  blocks().whiten(operands(), m, rows_a.data(), rows_b.data());
}

void EntropyObjective::add(int m, const double *b, double *sums)
{
  need_dataset();
  need_rows(m);
  for (int first = 0; first < m; first += CHUNK) {
    const int rows = std::min(CHUNK, m - first);
    load(rows, b + size_t(first) * n);
    const double *y = rows_b.data();
    for (int i = 0; i < rows; i++)
      for (int k = 0; k < n; k++) sums[k] += y[size_t(i) * ld + k];
    blocks().outer(operands(), rows, y, sums + n);
  }
  sums[nsums() - 1] += double(m);
}

// X = (q + f s s^T - m L^-1 C L^-T) / N' from the packed q, then its factors. Returns dS, NaN if 1
// + X is not positive definite.
double EntropyObjective::factor(double m, double f, const double *s, const double *q)
{
  // one vector has no covariance, and neither has none: X = 0 to the last bit
  const double inverse = nold == 0 && m <= 1.0 ? 0.0 : 1.0 / nnew;
  const double *w = shrink.data();
  for (int i = 0; i < n; i++) {
    double *row = x.data() + size_t(i) * ld;
    std::fill(row, row + i, 0.0);
    const double fs = f * s[i];
    for (int j = i; j < n; j++) row[j] = (*q++ + fs * s[j] - m * *w++) * inverse;
  }
  for (int i = n; i < ld; i++) std::fill_n(x.data() + size_t(i) * ld, ld, 0.0);
  blocks().factor(operands(), pivots.data());

  double sum = 0.0;
  factored = true;
  for (int k = 0; k < n; k++) {
    factored = factored && pivots[k] > -1.0 && std::isfinite(pivots[k]);
    sum += std::log1p(pivots[k]);
  }
  return factored ? 0.5 * sum : std::nan("");
}

double EntropyObjective::delta(const double *sums)
{
  need_dataset();
  factored = false;
  const double m = sums[nsums() - 1];
  if (!(m >= 0.0 && std::isfinite(m)))
    throw std::invalid_argument("entropy: number of rows in the sums is " + std::to_string(m) +
                                ", expected a finite number from 0");
  nnew = double(nold) + m;
  const double inverse = nnew > 0.0 ? 1.0 / nnew : 0.0;
  for (int k = 0; k < n; k++) shift[k] = sums[k] * inverse;
  const double ds = factor(m, -inverse, sums, sums + n);
  if (factored) return ds;
  need_finite("sums of the candidate", sums, nsums());
  throw std::runtime_error(NOT_POSITIVE);
}

// (K a)^T for a[n * n].
std::vector<double> EntropyObjective::whiten_columns(const std::vector<double> &a)
{
  std::vector<double> out(a.size());
  for (int first = 0; first < n; first += CHUNK) {
    const int cols = std::min(CHUNK, n - first);
    for (int i = 0; i < cols; i++)
      for (int k = 0; k < n; k++) rows_a[size_t(i) * ld + k] = a[size_t(k) * n + first + i];
    blocks().whiten(operands(), cols, rows_a.data(), rows_b.data());
    for (int i = 0; i < cols; i++)
      std::copy_n(rows_b.data() + size_t(i) * ld, n, &out[size_t(first + i) * n]);
  }
  return out;
}

double EntropyObjective::delta(const Moments &candidate)
{
  need_dataset();
  factored = false;
  need_features("candidate", candidate, n);
  const double m = double(candidate.count);
  nnew = double(nold) + m;

  load(1, candidate.mean.data());
  const std::vector<double> y(rows_b.data(), rows_b.data() + n);
  // q = K M_x K^T, K = L^-1 R^-1/2: columns of M_x through K, then rows of the result
  const std::vector<double> half = whiten_columns(candidate.scatter);
  const std::vector<double> whole = whiten_columns(half);
  std::vector<double> q;
  q.reserve(shrink.size());
  for (int i = 0; i < n; i++)
    for (int j = i; j < n; j++) q.push_back(whole[size_t(i) * n + j]);

  const double part = nnew > 0.0 ? m / nnew : 0.0;
  for (int k = 0; k < n; k++) shift[k] = part * y[k];
  const double ds = factor(m, part * double(nold), y.data(), q.data());
  if (!factored) throw std::runtime_error(NOT_POSITIVE);
  return ds;
}

void EntropyObjective::gradient(int m, const double *b, double prefactor, double *grad)
{
  if (!factored)
    throw std::logic_error("entropy: no candidate is factored, expected delta() before gradient()");
  need_rows(m);
  const double scale = prefactor / nnew;
  for (int first = 0; first < m; first += CHUNK) {
    const int rows = std::min(CHUNK, m - first);
    load(rows, b + size_t(first) * n);
    double *y = rows_b.data();
    for (int i = 0; i < rows; i++)
      for (int k = 0; k < n; k++) y[size_t(i) * ld + k] -= shift[k];
    blocks().gradient(operands(), rows, y, rows_a.data());
    for (int i = 0; i < rows; i++, grad += n)
      for (int k = 0; k < n; k++) grad[k] = scale * rows_a[size_t(i) * ld + k];
  }
}

}    // namespace smax
