// A small one-layer GRACE model of random weights, its couplings from integrals of harmonics, and
// its energy by plain loops.

#ifndef SMAX_TEST_GRACE_SYNTHETIC_H
#define SMAX_TEST_GRACE_SYNTHETIC_H

#include "grace.h"

#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace synthetic {

using smax::GraceBonds;
using smax::GraceModel;
using smax::GraceReduce;
using smax::GraceStep;
using Random = std::mt19937_64;

inline double normal(Random &random)
{
  return std::normal_distribution<double>()(random);
}

inline std::vector<double> normals(Random &random, size_t n, double scale)
{
  std::vector<double> out(n);
  for (double &x : out) x = scale * normal(random);
  return out;
}

// Real harmonics of a unit vector times sqrt(4 pi), from the textbook formula.
inline std::vector<double> harmonics(int lmax, double x, double y, double z)
{
  std::vector<double> out;
  const double phi = std::atan2(y, x), s = std::sqrt(x * x + y * y);
  for (int l = 0; l <= lmax; l++)
    for (int m = -l; m <= l; m++) {
      const int k = std::abs(m);
      double p0 = 0.0, p1 = 1.0;    // P_l^k without the sign (-1)^k
      for (int i = 1; i <= k; i++) p1 *= (2 * i - 1) * s;
      for (int i = k + 1; i <= l; i++) {
        const double p2 = ((2 * i - 1) * z * p1 - (i + k - 1) * p0) / (i - k);
        p0 = p1, p1 = p2;
      }
      double norm = 2.0 * l + 1.0;
      for (int i = l - k + 1; i <= l + k; i++) norm /= i;
      if (m) norm *= 2.0;
      out.push_back(std::sqrt(norm) * p1 * (m < 0 ? std::sin(k * phi) : std::cos(k * phi)));
    }
  return out;
}

// Points and weights of a quadrature on the sphere, exact to degree 15.
inline std::vector<std::array<double, 4>> sphere()
{
  constexpr int N = 8, M = 17;
  const double pi = std::acos(-1.0);
  std::vector<std::array<double, 4>> out;
  for (int i = 0; i < N; i++) {
    double x = std::cos(pi * (i + 0.75) / (N + 0.5)), dp = 1.0;
    for (int it = 0; it < 100; it++) {
      double p0 = 1.0, p1 = x;
      for (int k = 2; k <= N; k++) {
        const double p2 = ((2 * k - 1) * x * p1 - (k - 1) * p0) / k;
        p0 = p1, p1 = p2;
      }
      dp = N * (x * p1 - p0) / (x * x - 1.0);
      x -= p1 / dp;
    }
    const double w = 2.0 / ((1.0 - x * x) * dp * dp) / (2.0 * M), s = std::sqrt(1.0 - x * x);
    for (int k = 0; k < M; k++)
      out.push_back({s * std::cos(2 * pi * k / M), s * std::sin(2 * pi * k / M), x, w});
  }
  return out;
}

// A function of a tensor: l, m and the set of 2 l + 1 that it belongs to.
struct Function {
  int l, m, group;
};
using Functions = std::vector<Function>;

inline Functions basis_functions(int lmax)
{
  Functions out;
  for (int l = 0; l <= lmax; l++)
    for (int m = -l; m <= l; m++) out.push_back({l, m, l});
  return out;
}

inline GraceStep connect(Random &random, const std::string &name, int left, int right,
                         const Functions &f, const Functions &g, int nleft, int nright, int n)
{
  GraceStep s;
  s.name = name;
  s.left = left;
  s.right = right;
  s.nout = int(f.size());
  s.channels = n;
  int pairs = 0;
  for (int i = 0; i < s.nout; i++) {
    s.group.push_back(f[i].group);
    if (f[i].m != -f[i].l) continue;
    for (int j = 0; j < int(g.size()); j++) {
      if (g[j].l != f[i].l || g[j].m != -f[i].l) continue;
      for (int k = 0; k <= 2 * f[i].l; k++) {
        s.to.push_back(i + k);
        s.from.push_back(j + k);
        s.pair.push_back(pairs);
      }
      pairs++;
    }
  }
  s.left_weight = normals(random, size_t(f.back().group + 1) * nleft * n, 0.5);
  s.right_weight = normals(random, size_t(pairs) * nright * n, 0.5);
  return s;
}

// Couplings of l1 m1, l2 m2 to L M proportional to the integral of three harmonics.
inline GraceStep product(const std::string &name, int left, int right, const Functions &f,
                         const Functions &g, int L, int n, Functions &out)
{
  GraceStep s;
  s.kind = GraceStep::Kind::Product;
  s.name = name;
  s.left = left;
  s.right = right;
  s.channels = n;
  const auto points = sphere();
  std::vector<std::vector<double>> Y;
  for (const auto &p : points) Y.push_back(harmonics(L > 4 ? L : 4, p[0], p[1], p[2]));
  int group = 0;
  for (int i = 0; i < int(f.size()); i++) {
    if (f[i].m != -f[i].l) continue;
    for (int j = 0; j < int(g.size()); j++) {
      if (g[j].m != -g[j].l || (left == right && j > i)) continue;
      for (int l = std::abs(f[i].l - g[j].l); l <= std::min(L, f[i].l + g[j].l); l += 1) {
        if ((l + f[i].l + g[j].l) % 2) continue;
        for (int m = -l; m <= l; m++) {
          for (int a = 0; a <= 2 * f[i].l; a++)
            for (int b = 0; b <= 2 * g[j].l; b++) {
              double c = 0.0;
              for (size_t p = 0; p < points.size(); p++)
                c += points[p][3] * Y[p][f[i].l * f[i].l + a] * Y[p][g[j].l * g[j].l + b] *
                     Y[p][l * (l + 1) + m];
              if (std::abs(c) < 1e-12) continue;
              s.a.push_back(i + a);
              s.b.push_back(j + b);
              s.target.push_back(int(out.size()));
              s.coef.push_back(c / std::sqrt(2.0 * l + 1.0));
            }
          out.push_back({l, m, group});
        }
        group++;
      }
    }
  }
  s.nout = int(out.size());
  return s;
}

inline GraceReduce reduce(Random &random, int tensor, const Functions &f, int ne, int n, int rho)
{
  GraceReduce r;
  r.tensor = tensor;
  for (int i = 0; i < int(f.size()); i++)
    if (f[i].l == 0) r.function.push_back(i);
  r.weight = normals(random, size_t(ne) * r.function.size() * n * rho, 0.3);
  return r;
}

// Channel numbers that fill no whole vectors, unless `even`.
inline GraceModel model(Random &random, int lmax, int order, int ne, bool even = false)
{
  GraceModel m;
  const int n = even ? 8 : 5, np = even ? 16 : 7, rho = 4;
  for (int e = 0; e < ne; e++) m.elements.push_back("E" + std::to_string(e));
  m.lmax = lmax;
  m.channels = n;
  m.basis_size = 6;
  m.cutoff_power = 5 + order;
  for (int i = 0; i < ne * ne; i++) m.cutoff.push_back(3.5 + 0.2 * (i / ne + i % ne));
  m.hidden = even ? std::vector<int>{16, 8} : std::vector<int>{9, 11};
  m.radial = {normals(random, size_t(6) * m.hidden[0], 0.6),
              normals(random, size_t(m.hidden[0]) * m.hidden[1], 0.5)};
  m.radial_out = normals(random, size_t(lmax + 1) * m.hidden[1] * n, 0.5);
  m.indicator = normals(random, size_t(ne) * n, 1.0);
  for (int e = 0; e < ne; e++) m.inverse_neighbours.push_back(1.0 / (5.0 + e));

  m.density = rho;
  const Functions A = basis_functions(lmax);
  Functions AA, AAA, AAAA;
  m.reduce.push_back(reduce(random, 0, A, ne, n, rho));
  if (order > 1) {
    m.steps.push_back(connect(random, "A1", 0, 0, A, A, n, n, np));
    m.steps.push_back(product("AA", 1, 1, A, A, lmax, np, AA));
    m.reduce.push_back(reduce(random, 2, AA, ne, np, rho));
  }
  if (order > 2) {
    m.steps.push_back(connect(random, "AA1", 2, 0, AA, A, np, n, np));
    m.steps.push_back(product("AAA", 3, 1, AA, A, 0, np, AAA));
    m.reduce.push_back(reduce(random, 4, AAA, ne, np, rho));
  }
  if (order > 3) {
    m.steps.push_back(connect(random, "AA2", 2, 0, AA, A, np, n, np));
    m.steps.push_back(product("AAAA", 5, 5, AA, AA, 0, np, AAAA));
    m.reduce.push_back(reduce(random, 6, AAAA, ne, np, rho));
  }
  m.energy_hidden = even ? 8 : 6;
  m.energy_in = normals(random, size_t(rho - 1) * m.energy_hidden, 0.5);
  m.energy_out = normals(random, m.energy_hidden, 0.5);
  m.scale = 0.8;
  m.shift = normals(random, ne, 1.0);
  return m;
}

/* ---------------------------------------------------------------------- */

inline double silu(double x)
{
  return x / (1.0 + std::exp(-x));
}

using TensorOf = std::vector<std::vector<double>>;    // [function][channel]

// The radial functions of one bond: [l][channel]
inline TensorOf radial(const GraceModel &m, double u)
{
  const int p = m.cutoff_power;
  const double f = u < 1.0 ? 1.0 - 0.5 * (p + 1) * (p + 2) * std::pow(u, p) +
                                 p * (p + 2) * std::pow(u, p + 1) -
                                 0.5 * p * (p + 1) * std::pow(u, p + 2)
                           : 0.0;
  std::vector<double> layer;
  for (int k = 1; k <= m.basis_size; k++)
    layer.push_back(u < 1.0 ? f * std::cos(k * std::acos(2.0 * u - 1.0)) : 0.0);
  for (size_t i = 0; i < m.hidden.size(); i++) {
    std::vector<double> next(m.hidden[i], 0.0);
    for (size_t a = 0; a < layer.size(); a++)
      for (size_t b = 0; b < next.size(); b++)
        next[b] += layer[a] * m.radial[i][a * next.size() + b];
    for (double &x : next) x = silu(x);
    layer = next;
  }
  TensorOf out(m.lmax + 1, std::vector<double>(m.channels, 0.0));
  for (int l = 0; l <= m.lmax; l++)
    for (size_t h = 0; h < layer.size(); h++)
      for (int n = 0; n < m.channels; n++)
        out[l][n] += layer[h] * m.radial_out[(l * layer.size() + h) * m.channels + n];
  return out;
}

inline TensorOf step(const GraceStep &s, const TensorOf &left, const TensorOf &right)
{
  TensorOf out(s.nout, std::vector<double>(s.channels, 0.0));
  const auto add = [&](int to, const std::vector<double> &in, const double *w) {
    for (size_t n = 0; n < in.size(); n++)
      for (int k = 0; k < s.channels; k++) out[to][k] += in[n] * w[n * s.channels + k];
  };
  for (size_t i = 0; i < s.coef.size(); i++)
    for (int n = 0; n < s.channels; n++)
      out[s.target[i]][n] += s.coef[i] * left[s.a[i]][n] * right[s.b[i]][n];
  if (s.kind == GraceStep::Kind::Product) return out;
  for (int f = 0; f < s.nout; f++)
    add(f, left[f], &s.left_weight[s.group[f] * left[f].size() * s.channels]);
  for (size_t i = 0; i < s.to.size(); i++)
    add(s.to[i], right[s.from[i]],
        &s.right_weight[s.pair[i] * right[s.from[i]].size() * s.channels]);
  return out;
}

// Energy of atom i, formula by formula.
inline double energy(const GraceModel &m, const GraceBonds &b, int i)
{
  const int ne = int(m.elements.size()), e = b.element[i];
  std::vector<TensorOf> tensors = {
      TensorOf((m.lmax + 1) * (m.lmax + 1), std::vector<double>(m.channels, 0.0))};
  for (int k = b.first[i]; k < b.first[i + 1]; k++) {
    const double d = std::sqrt(b.dx[k] * b.dx[k] + b.dy[k] * b.dy[k] + b.dz[k] * b.dz[k] + 1e-10);
    const auto R = radial(m, d / m.cutoff[e * ne + b.neighbour[k]]);
    const auto Y = harmonics(m.lmax, b.dx[k] / d, b.dy[k] / d, b.dz[k] / d);
    for (int l = 0, lm = 0; l <= m.lmax; l++)
      for (int q = 0; q <= 2 * l; q++, lm++)
        for (int n = 0; n < m.channels; n++)
          tensors[0][lm][n] += R[l][n] * Y[lm] * m.indicator[b.neighbour[k] * m.channels + n] *
                               m.inverse_neighbours[e];
  }
  for (const GraceStep &s : m.steps) tensors.push_back(step(s, tensors[s.left], tensors[s.right]));
  std::vector<double> rho(m.density, 0.0);
  for (const GraceReduce &r : m.reduce) {
    const double *w = &r.weight[e * r.weight.size() / ne];
    for (int f : r.function)
      for (double x : tensors[r.tensor][f])
        for (double &o : rho) o += x * *w++;
  }
  double out = rho[0];
  for (int k = 0; k < m.energy_hidden; k++) {
    double z = 0.0;
    for (int o = 1; o < m.density; o++) z += rho[o] * m.energy_in[(o - 1) * m.energy_hidden + k];
    out += silu(z) * m.energy_out[k];
  }
  return m.scale * out + m.shift[e];
}

}    // namespace synthetic

#endif
