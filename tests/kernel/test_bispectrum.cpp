// Bispectrum kernel on its own: gradient against finite differences, agreement of the instruction
// sets, invariances, edge cases. Prints what it checks; exit status 1 on failure.

#include "check.h"
#include "bispectrum.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

using namespace smax;

namespace {

// Neighbour rows that own their arrays.
struct Rows {
  std::vector<int> first = {0};
  std::vector<double> x, y, z, rcut;

  Neighbours view() const
  {
    Neighbours n;
    n.natoms = int(first.size()) - 1;
    n.first = first.data();
    n.dx = x.data();
    n.dy = y.data();
    n.dz = z.data();
    n.rcut = rcut.data();
    return n;
  }
  void add(const Rows &other, int i)
  {
    for (int k = other.first[i]; k < other.first[i + 1]; k++) {
      x.push_back(other.x[k]);
      y.push_back(other.y[k]);
      z.push_back(other.z[k]);
      rcut.push_back(other.rcut[k]);
    }
    first.push_back(int(x.size()));
  }
};

using Random = std::mt19937_64;

double uniform(Random &random, double lo, double hi)
{
  return std::uniform_real_distribution<double>(lo, hi)(random);
}

// Atoms with the given numbers of neighbours: random directions, 0.2 rcut < r < 0.98 rcut.
Rows random_rows(const std::vector<int> &counts, Random &random)
{
  std::normal_distribution<double> normal;
  Rows rows;
  for (int count : counts) {
    for (int k = 0; k < count; k++) {
      const double rcut = uniform(random, 4.0, 9.0), r = rcut * uniform(random, 0.2, 0.98);
      const double a = normal(random), b = normal(random), c = normal(random);
      const double scale = r / std::sqrt(a * a + b * b + c * c);
      rows.x.push_back(a * scale);
      rows.y.push_back(b * scale);
      rows.z.push_back(c * scale);
      rows.rcut.push_back(rcut);
    }
    rows.first.push_back(int(rows.x.size()));
  }
  return rows;
}

struct Result {
  std::vector<double> b, g;    // g: all x, then y, then z
};

Result evaluate(Bispectrum &sna, const Rows &rows, const std::vector<double> &beta)
{
  const Neighbours n = rows.view();
  const size_t m = rows.x.size();
  Result r;
  r.b.resize(size_t(n.natoms) * sna.ncoeff());
  r.g.resize(3 * m);
  sna.features(n, r.b.data());
  sna.gradient(n, beta.data(), r.g.data(), r.g.data() + m, r.g.data() + 2 * m);
  return r;
}

std::vector<double> random_beta(const Bispectrum &sna, size_t natoms, Random &random)
{
  std::vector<double> beta(natoms * sna.ncoeff());
  for (double &v : beta) v = uniform(random, -1.0, 1.0);
  return beta;
}

double largest(const std::vector<double> &v)
{
  double m = 0.0;
  for (double x : v) m = std::max(m, std::abs(x));
  return m;
}

double difference(const std::vector<double> &a, const std::vector<double> &b)
{
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double m = 0.0;
  for (size_t i = 0; i < a.size(); i++) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i]))
      return std::numeric_limits<double>::infinity();
    m = std::max(m, std::abs(a[i] - b[i]));
  }
  return m / std::max(largest(b), 1e-300);
}

std::vector<Isa> levels()
{
  std::vector<Isa> found;
  for (Isa isa : {Isa::Plain, Isa::Avx2, Isa::Avx512}) try {
      Bispectrum sna(BispectrumParams(), isa);
      found.push_back(isa);
    } catch (const std::invalid_argument &) {
      std::printf("note this machine has no %s\n", isa_name(isa));
    }
  return found;
}

std::string label(const BispectrumParams &p, Isa isa)
{
  char text[96];
  std::snprintf(text, sizeof text, "twojmax %d rmin0 %g rfac0 %g zero %d switch %d %s", p.twojmax,
                p.rmin0, p.rfac0, p.bzeroflag, p.switchflag, isa_name(isa));
  return text;
}

double energy(Bispectrum &sna, const Rows &rows, const std::vector<double> &beta)
{
  std::vector<double> b(beta.size());
  sna.features(rows.view(), b.data());
  double e = 0.0;
  for (size_t i = 0; i < b.size(); i++) e += b[i] * beta[i];
  return e;
}

// Central differences of fourth order on every coordinate.
void test_gradient(const BispectrumParams &p, Isa isa, Random &random)
{
  Bispectrum sna(p, isa);
  Rows rows = random_rows({5, 0, 3, 11}, random);
  const std::vector<double> beta = random_beta(sna, 4, random);
  const Result r = evaluate(sna, rows, beta);
  std::vector<double> fd;
  const double h = 1e-3;
  for (std::vector<double> *axis : {&rows.x, &rows.y, &rows.z})
    for (double &x : *axis) {
      const double x0 = x;
      double e[4];
      const double step[4] = {-2 * h, -h, h, 2 * h};
      for (int k = 0; k < 4; k++) {
        x = x0 + step[k];
        e[k] = energy(sna, rows, beta);
      }
      x = x0;
      fd.push_back((e[0] - 8.0 * e[1] + 8.0 * e[2] - e[3]) / (12.0 * h));
    }
  check("finite differences, " + label(p, isa), difference(r.g, fd), 1e-7);
}

void test_levels(const BispectrumParams &p, const std::vector<Isa> &isas, Random &random)
{
  const Rows rows = random_rows({17, 1, 0, 95, 26, 8, 16, 4, 3, 7, 40}, random);
  Bispectrum plain(p, Isa::Plain);
  const std::vector<double> beta = random_beta(plain, 11, random);
  const Result ref = evaluate(plain, rows, beta);
  for (Isa isa : isas) {
    if (isa == Isa::Plain) continue;
    Bispectrum sna(p, isa);
    const Result r = evaluate(sna, rows, beta);
    check("features as plain, " + label(p, isa), difference(r.b, ref.b), 1e-12);
    check("gradient as plain, " + label(p, isa), difference(r.g, ref.g), 1e-12);
  }
}

// The same bits whichever atoms are computed together, and in whichever object.
void test_batches(const BispectrumParams &p, Isa isa, Random &random)
{
  Bispectrum sna(p, isa), other(p, isa);
  const Rows rows = random_rows({9, 0, 33, 8, 1, 95, 20, 5, 7, 2, 64}, random);
  const int natoms = int(rows.first.size()) - 1, n = sna.ncoeff();
  const std::vector<double> beta = random_beta(sna, natoms, random);
  const Result all = evaluate(sna, rows, beta);
  const size_t m = rows.x.size();
  int differing = 0;
  for (int i = 0; i < natoms; i++) {
    Rows one;
    one.add(rows, i);
    const std::vector<double> bi(beta.begin() + i * n, beta.begin() + (i + 1) * n);
    const Result r = evaluate(other, one, bi);
    differing += std::memcmp(r.b.data(), all.b.data() + size_t(i) * n, n * sizeof(double)) != 0;
    const size_t count = one.x.size();
    for (int k = 0; k < 3 && count > 0; k++)
      differing += std::memcmp(r.g.data() + k * count, all.g.data() + k * m + rows.first[i],
                               count * sizeof(double)) != 0;
  }
  check("bits independent of the batch, " + label(p, isa), differing, 0);
}

// Rotation by a random unit quaternion: same features, rotated gradient.
void test_rotation(const BispectrumParams &p, Isa isa, Random &random)
{
  std::normal_distribution<double> normal;
  double q[4], norm = 0.0;
  for (double &v : q) {
    v = normal(random);
    norm += v * v;
  }
  for (double &v : q) v /= std::sqrt(norm);
  const double w = q[0], a = q[1], b = q[2], c = q[3];
  const double rot[3][3] = {{1 - 2 * (b * b + c * c), 2 * (a * b - w * c), 2 * (a * c + w * b)},
                            {2 * (a * b + w * c), 1 - 2 * (a * a + c * c), 2 * (b * c - w * a)},
                            {2 * (a * c - w * b), 2 * (b * c + w * a), 1 - 2 * (a * a + b * b)}};
  auto rotate = [&](double &x, double &y, double &z) {
    const double v[3] = {x, y, z};
    double *out[3] = {&x, &y, &z};
    for (int i = 0; i < 3; i++) *out[i] = rot[i][0] * v[0] + rot[i][1] * v[1] + rot[i][2] * v[2];
  };

  Bispectrum sna(p, isa);
  Rows rows = random_rows({30, 12, 61}, random);
  const std::vector<double> beta = random_beta(sna, 3, random);
  Result before = evaluate(sna, rows, beta);
  const size_t m = rows.x.size();
  for (size_t k = 0; k < m; k++) {
    rotate(rows.x[k], rows.y[k], rows.z[k]);
    rotate(before.g[k], before.g[m + k], before.g[2 * m + k]);
  }
  const Result after = evaluate(sna, rows, beta);
  check("rotated features, " + label(p, isa), difference(after.b, before.b), 1e-12);
  check("rotated gradient, " + label(p, isa), difference(after.g, before.g), 1e-11);
}

// Empty input, lone atoms, and neighbours at the ends of the range.
void test_edges(Isa isa, Random &random)
{
  BispectrumParams p;
  Bispectrum sna(p, isa);
  double touched = 7.0;
  Rows none;
  sna.features(none.view(), &touched);
  sna.gradient(none.view(), &touched, &touched, &touched, &touched);
  check(std::string("no atoms: nothing written, ") + isa_name(isa), std::abs(touched - 7.0), 0);

  const Rows lone = random_rows({0, 0, 0}, random);
  check(std::string("lone atoms: all zero, ") + isa_name(isa),
        largest(evaluate(sna, lone, random_beta(sna, 3, random)).b), 1e-13);
  p.bzeroflag = false;
  Bispectrum shifted(p, isa);
  const std::vector<double> b = evaluate(shifted, lone, random_beta(sna, 3, random)).b;
  check(std::string("lone atoms, bzeroflag 0: B_000 = 1, ") + isa_name(isa), std::abs(b[0] - 1.0),
        1e-15);

  // along the axes, where the azimuth is undefined, and at the ends of the range
  Rows axes;
  for (int k = 0; k < 6; k++) {
    const double r[6] = {1e-6, 0.5, 1.0, 3.0, 4.9, 5.0 - 1e-13}, sign = k % 2 ? -1.0 : 1.0;
    axes.x.push_back(k / 2 == 0 ? sign * r[k] : 0.0);
    axes.y.push_back(k / 2 == 1 ? sign * r[k] : 0.0);
    axes.z.push_back(k / 2 == 2 ? sign * r[k] : 0.0);
    axes.rcut.push_back(5.0);
  }
  axes.first.push_back(6);
  const Result r = evaluate(sna, axes, random_beta(sna, 1, random));
  check(std::string("neighbours on the axes: finite, ") + isa_name(isa), difference(r.g, r.g), 0);

  Rows beyond = axes;
  for (int k = 0; k < 9; k++) {
    beyond.x.push_back(3.0);
    beyond.y.push_back(4.0);
    beyond.z.push_back(0.1 * k);
    beyond.rcut.push_back(5.0);
  }
  beyond.first[1] = 15;
  check(std::string("neighbours at and beyond the cutoff add zero, ") + isa_name(isa),
        difference(evaluate(sna, beyond, random_beta(sna, 1, random)).b, r.b), 1e-13);
}

template <typename F> void expect_refusal(const char *what, F &&make)
{
  double refused = 1.0;
  try {
    make();
  } catch (const std::invalid_argument &e) {
    refused = std::strlen(e.what()) > 20 ? 0.0 : 1.0;
  } catch (const std::logic_error &) {
    refused = 0.0;
  }
  check(std::string("refused: ") + what, refused, 0);
}

void test_refusals()
{
  auto with = [](auto change) {
    return [change] {
      BispectrumParams p;
      change(p);
      Bispectrum sna(p);
    };
  };
  expect_refusal("twojmax 1", with([](BispectrumParams &p) { p.twojmax = 1; }));
  expect_refusal("twojmax 15", with([](BispectrumParams &p) { p.twojmax = 15; }));
  expect_refusal("rfac0 0", with([](BispectrumParams &p) { p.rfac0 = 0.0; }));
  expect_refusal("rfac0 1.1", with([](BispectrumParams &p) { p.rfac0 = 1.1; }));
  expect_refusal("rmin0 -1", with([](BispectrumParams &p) { p.rmin0 = -1.0; }));
  expect_refusal("rmin0 NaN", with([](BispectrumParams &p) { p.rmin0 = std::nan(""); }));
  expect_refusal("level sse9", [] { isa_from_name("sse9"); });
  expect_refusal("gradient before features", [] {
    Bispectrum sna{BispectrumParams()};
    sna.gradient(Neighbours(), nullptr, nullptr, nullptr, nullptr);
  });
  check("55 components at twojmax 8", std::abs(Bispectrum::count(8) - 55), 0);
}

}    // namespace

int main()
{
  Random random(20240229);
  const std::vector<Isa> isas = levels();
  std::printf("note best level: %s\n", isa_name(isa_best()));
  test_refusals();
  for (int twojmax = 2; twojmax <= 14; twojmax++) {
    BispectrumParams p;
    p.twojmax = twojmax;
    test_levels(p, isas, random);
    for (Isa isa : isas) {
      if (twojmax % 3 == 2) test_gradient(p, isa, random);
      test_rotation(p, isa, random);
    }
  }
  for (Isa isa : isas) {
    for (int k = 0; k < 8; k++) {
      BispectrumParams p;
      p.twojmax = 5 + k % 3;
      p.rmin0 = k & 1 ? 2.5 : 0.0;    // some neighbours below it
      p.switchflag = k & 2;
      p.bzeroflag = k & 4;
      p.rfac0 = k & 1 ? 0.7 : 1.0;
      test_gradient(p, isa, random);
      test_batches(p, isa, random);
    }
    test_edges(isa, random);
  }
  std::printf("%d checks failed\n", failures);
  return failures ? 1 : 0;
}
