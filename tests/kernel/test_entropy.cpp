// Moments and EntropyObjective through their whole interface, small enough for sanitizers.
// Exactness is tested in tests/unit/test_entropy.py; here a plain double-precision S(D) is the
// oracle.

#include "entropy.h"
#include "moments.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

using smax::EntropyObjective;
using smax::Isa;
using smax::Moments;

namespace {

constexpr double EPS = 1e-3;
int failures = 0;

void check(bool good, const std::string &what)
{
  if (good) return;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  failures++;
}

void close(double got, double want, double tolerance, const std::string &what)
{
  check(std::abs(got - want) <= tolerance * (1.0 + std::abs(want)),
        what + ": " + std::to_string(got) + ", expected " + std::to_string(want));
}

template <class Error, class Body> void throws(const Body &body, const std::string &part)
{
  try {
    body();
  } catch (const Error &e) {
    check(std::string(e.what()).find(part) != std::string::npos,
          std::string("'") + e.what() + "' names " + part);
    return;
  }
  check(false, "an error that names " + part);
}

std::vector<double> random_rows(int m, int n, unsigned seed)
{
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<double> b(size_t(m) * n);
  for (double &v : b) v = 2.0 + normal(generator);
  return b;
}

// 1/2 log det(scatter / N + eps R) by plain elimination.
double plain_entropy(const Moments &d, const std::vector<double> &variance)
{
  const int n = d.n;
  std::vector<double> a(d.scatter);
  for (double &v : a) v /= d.count > 0 ? double(d.count) : 1.0;
  for (int i = 0; i < n; i++) a[size_t(i) * n + i] += EPS * variance[i];
  double sum = 0.0;
  for (int k = 0; k < n; k++) {
    sum += std::log(a[size_t(k) * n + k]);
    for (int i = k + 1; i < n; i++) {
      const double f = a[size_t(i) * n + k] / a[size_t(k) * n + k];
      for (int j = k; j < n; j++) a[size_t(i) * n + j] -= f * a[size_t(k) * n + j];
    }
  }
  return 0.5 * sum;
}

Moments together(const Moments &d, int m, const double *b)
{
  Moments out = d;
  out.merge(Moments::of(d.n, m, b));
  return out;
}

void test_moments()
{
  const int n = 3;
  const std::vector<double> b = random_rows(2100, n, 1);
  const Moments whole = Moments::of(n, 2100, b.data());
  const Moments parts = together(Moments::of(n, 700, b.data()), 1400, b.data() + 700 * n);
  check(whole.count == 2100 && parts.count == 2100, "count of merged moments");
  for (int k = 0; k < n; k++) close(parts.mean[k], whole.mean[k], 1e-14, "merged mean");
  for (int k = 0; k < n * n; k++)
    close(parts.scatter[k], whole.scatter[k], 1e-13, "merged scatter");

  std::vector<double> packed(Moments::packed_size(n));
  whole.pack(packed.data());
  const Moments back = Moments::unpack(n, packed.data());
  check(back.count == whole.count && back.mean == whole.mean && back.scatter == whole.scatter,
        "pack and unpack");

  Moments twice = whole;
  twice.merge(twice);
  check(twice.count == 4200 && twice.scatter[1] == 2.0 * whole.scatter[1], "merge with itself");
  Moments none(n);
  none.merge(Moments(n));
  check(none.count == 0, "merge of empty sets");
  throws<std::invalid_argument>([&] { none.merge(Moments(4)); }, "expected 3");
  throws<std::invalid_argument>([&] { Moments::of(n, -1, nullptr); }, "-1");
  packed[0] = 0.5;
  throws<std::invalid_argument>([&] { Moments::unpack(n, packed.data()); }, "whole number");
}

// Gradient of row 0 against central differences of the plain entropy.
void check_gradient(const Moments &d, const std::vector<double> &variance, int m,
                    std::vector<double> b, const std::vector<double> &grad)
{
  const double h = 1e-5;
  for (int k = 0; k < d.n; k += 5) {
    const double at = b[k];
    b[k] = at + h;
    const double up = plain_entropy(together(d, m, b.data()), variance);
    b[k] = at - h;
    const double down = plain_entropy(together(d, m, b.data()), variance);
    b[k] = at;
    close(grad[k], (up - down) / (2.0 * h), 1e-5, "gradient of row 0");
  }
}

void test_candidate(int n, int count, int m, Isa isa)
{
  const std::string name = "n " + std::to_string(n) + " N " + std::to_string(count) + " m " +
                           std::to_string(m) + " isa " + std::to_string(int(isa)) + " ";
  const std::vector<double> data = random_rows(count, n, 2), b = random_rows(m, n, 3);
  const Moments d = Moments::of(n, count, data.data());
  std::vector<double> variance(n);
  for (int k = 0; k < n; k++) variance[k] = 0.5 + k % 4;

  EntropyObjective x(n, isa);
  x.set_dataset(d, variance.data(), EPS);
  check(x.count() == count && x.empty() == (count == 0), name + "count");
  close(x.entropy(), plain_entropy(d, variance), 1e-10, name + "entropy");

  std::vector<double> sums(x.nsums(), 0.0), grad(b.size());
  const int first = m / 3;    // two ranks
  x.add(first, b.data(), sums.data());
  x.add(m - first, b.data() + size_t(first) * n, sums.data());
  const double ds = x.delta(sums.data());
  const double want =
      plain_entropy(together(d, m, b.data()), variance) - plain_entropy(d, variance);
  close(ds, want, 1e-9, name + "dS");
  x.gradient(m, b.data(), 1.0, grad.data());
  if (m > 0) check_gradient(d, variance, m, b, grad);

  close(x.delta(Moments::of(n, m, b.data())), ds, 1e-9, name + "dS by moments");
  if (count == 0 && m <= 1) check(ds == 0.0, name + "dS of a single row is 0");

  EntropyObjective copy = x;
  check(copy.delta(sums.data()) == ds, name + "a copy gives the same bits");
}

void test_errors()
{
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const int n = 4;
  const std::vector<double> good(n, 1.0), rows = random_rows(20, n, 4);
  const Moments d = Moments::of(n, 20, rows.data());
  EntropyObjective x(n);
  std::vector<double> sums(x.nsums(), 0.0), grad(n);

  throws<std::invalid_argument>([] { EntropyObjective(0); }, "features is 0");
  throws<std::logic_error>([&] { x.entropy(); }, "set_dataset");
  throws<std::logic_error>([&] { x.delta(sums.data()); }, "set_dataset");
  for (const double eps : {0.0, -1.0, nan})
    throws<std::invalid_argument>([&] { x.set_dataset(d, good.data(), eps); }, "eps");
  for (const double v : {0.0, -1.0, nan}) {
    std::vector<double> bad = good;
    bad[2] = v;
    throws<std::invalid_argument>([&] { x.set_dataset(d, bad.data(), EPS); }, "variance[2]");
  }
  throws<std::invalid_argument>([&] { x.set_dataset(Moments(5), good.data(), EPS); }, "expected 4");
  Moments broken = d;
  broken.scatter[5] = nan;
  throws<std::invalid_argument>([&] { x.set_dataset(broken, good.data(), EPS); }, "scatter[5]");
  broken.scatter[5] = -1e6;
  throws<std::runtime_error>([&] { x.set_dataset(broken, good.data(), EPS); }, "raise eps");

  x.set_dataset(d, good.data(), EPS);
  throws<std::logic_error>([&] { x.gradient(1, rows.data(), 1.0, grad.data()); }, "delta()");
  throws<std::invalid_argument>([&] { x.add(-1, rows.data(), sums.data()); }, "-1");
  throws<std::invalid_argument>([&] { x.delta(Moments(3)); }, "expected 4");
  std::vector<double> row = good;
  row[1] = nan;
  x.add(1, row.data(), sums.data());
  throws<std::invalid_argument>([&] { x.delta(sums.data()); }, "finite");
}

}    // namespace

int main()
{
  test_moments();
  std::vector<Isa> levels = {Isa::Plain};
  if (EntropyObjective(1).isa() != Isa::Plain) levels.push_back(Isa::Avx2);
  for (const Isa isa : levels)
    for (const int n : {1, 3, 4, 7, 8, 9, 21, 55})
      for (const int count : {0, 1, 10, 300})
        for (const int m : {0, 1, 2, 7, 14, 33, 70}) test_candidate(n, count, m, isa);
  test_errors();
  if (failures == 0) std::printf("entropy: all passed\n");
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
