// Small GRACE models of random weights, their couplings from integrals of harmonics.

#ifndef SMAX_TEST_GRACE_SYNTHETIC_H
#define SMAX_TEST_GRACE_SYNTHETIC_H

#include "grace.h"
#include "grace_sphere.h"

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace synthetic {

using smax::GraceBonds;
using smax::GraceLayer;
using smax::GraceModel;
using smax::GraceSource;
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

// A tensor and its functions
struct Made {
  int tensor;
  Functions functions;
};

// Densities, of the functions of l = 0
inline GraceStep reduce(Random &random, const std::string &name, const GraceLayer &layer,
                        const std::vector<Made> &from, int ne, int rho)
{
  GraceStep s;
  s.kind = GraceStep::Kind::Collect;
  s.name = name;
  s.nout = 1;
  s.channels = rho;
  for (const Made &made : from) {
    GraceSource q;
    q.tensor = made.tensor;
    q.elements = ne;
    for (int i = 0; i < int(made.functions.size()); i++) {
      if (made.functions[i].l) continue;
      q.pair.push_back(int(q.from.size()));
      q.from.push_back(i);
      q.to.push_back(0);
    }
    const int n = layer.tensor_channels(made.tensor);
    q.weight = normals(random, size_t(ne) * q.from.size() * n * rho, 0.3);
    s.sources.push_back(q);
  }
  return s;
}

// Functions of l <= lmax to one of each l, with a weight for each set and, of ne > 1, element.
inline GraceStep collect(Random &random, const std::string &name, const GraceLayer &layer,
                         const std::vector<Made> &from, int lmax, int ne, int channels)
{
  GraceStep s;
  s.kind = GraceStep::Kind::Collect;
  s.name = name;
  s.nout = (lmax + 1) * (lmax + 1);
  s.channels = channels;
  for (const Made &made : from) {
    GraceSource q;
    q.tensor = made.tensor;
    q.elements = ne;
    int pairs = 0;
    for (int i = 0; i < int(made.functions.size()); i++) {
      const Function &f = made.functions[i];
      if (f.l > lmax) continue;
      if (f.m == -f.l) pairs++;
      q.from.push_back(i);
      q.to.push_back(f.l * (f.l + 1) + f.m);
      q.pair.push_back(pairs - 1);
    }
    const int n = layer.tensor_channels(made.tensor);
    q.weight = normals(random, size_t(ne) * pairs * n * channels, 0.4);
    s.sources.push_back(q);
  }
  return s;
}

// Powers of a tensor: A1, AA, AA1, AAA, AA2, AAAA; those of the highest order up to l = last.
inline std::vector<Made> powers(Random &random, GraceLayer &layer, const std::string &x,
                                const Made &A, int lmax, int order, int np, int last)
{
  const int n = layer.tensor_channels(A.tensor);
  std::vector<Made> out = {A};
  const auto add = [&](GraceStep s) {
    layer.steps.push_back(std::move(s));
    return int(layer.steps.size());
  };
  const Functions &f = A.functions;
  Functions two, three, four;
  if (order < 2) return out;
  const int x1 = add(connect(random, x + "1", A.tensor, A.tensor, f, f, n, n, np));
  const int xx = add(product(x + x, x1, x1, f, f, order > 2 ? lmax : last, np, two));
  out.push_back({xx, two});
  if (order < 3) return out;
  const int xx1 = add(connect(random, x + x + "1", xx, A.tensor, two, f, np, n, np));
  const int right = n == np ? A.tensor : x1;
  const int xxx = add(product(x + x + x, xx1, right, two, f, last, np, three));
  out.push_back({xxx, three});
  if (order < 4) return out;
  const int xx2 = add(connect(random, x + x + "2", xx, A.tensor, two, f, np, n, np));
  const int xxxx = add(product(x + x + x + x, xx2, xx2, two, two, 0, np, four));
  out.push_back({xxxx, four});
  return out;
}

inline void radial(Random &random, GraceLayer &layer, int basis, int ne, int lmax, int n, bool even)
{
  layer.lmax = lmax;
  layer.channels = n;
  layer.hidden = even ? std::vector<int>{16, 8} : std::vector<int>{9, 11};
  layer.radial = {normals(random, size_t(basis) * layer.hidden[0], 0.6),
                  normals(random, size_t(layer.hidden[0]) * layer.hidden[1], 0.5)};
  layer.radial_out = normals(random, size_t(lmax + 1) * layer.hidden[1] * n, 0.5);
  layer.indicator = normals(random, size_t(ne) * n, 1.0);
  for (int e = 0; e < ne; e++) layer.inverse_neighbours.push_back(1.0 / (5.0 + e));
}

// What is common: channel numbers fill no whole vectors, unless `even`.
inline GraceModel empty_model(Random &random, int order, int ne, bool even)
{
  GraceModel m;
  for (int e = 0; e < ne; e++) m.elements.push_back("E" + std::to_string(e));
  m.basis_size = 6;
  m.cutoff_power = 5 + order;
  for (int i = 0; i < ne * ne; i++) m.cutoff.push_back(3.5 + 0.2 * (i / ne + i % ne));
  m.density = 4;
  m.energy_hidden = even ? 8 : 6;
  m.energy_in = normals(random, size_t(m.density - 1) * m.energy_hidden, 0.5);
  m.energy_out = normals(random, m.energy_hidden, 0.5);
  m.scale = 0.8;
  m.shift = normals(random, ne, 1.0);
  return m;
}

inline void add_density(Random &random, const GraceModel &m, GraceLayer &layer,
                        const std::string &name, const std::vector<Made> &from)
{
  layer.steps.push_back(reduce(random, name, layer, from, int(m.elements.size()), m.density));
  layer.density = int(layer.steps.size());
}

inline GraceModel model(Random &random, int lmax, int order, int ne, bool even = false)
{
  GraceModel m = empty_model(random, order, ne, even);
  GraceLayer layer;
  radial(random, layer, m.basis_size, ne, lmax, even ? 8 : 5, even);
  const Made A = {0, basis_functions(lmax)};
  add_density(random, m, layer, "rho",
              powers(random, layer, "A", A, lmax, order, even ? 16 : 7, 0));
  m.layers = {layer};
  return m;
}

// `tell`: highest l of what atoms tell their neighbours
inline GraceModel two_layers(Random &random, int lmax, int tell, int order, int ne,
                             bool even = false)
{
  GraceModel m = empty_model(random, order, ne, even);
  m.activation = GraceModel::Activation::Tanh;
  GraceLayer first, second;
  const int n = even ? 8 : 5, n2 = even ? 8 : 3, np = even ? 16 : 6;
  radial(random, first, m.basis_size, ne, lmax, n, even);
  radial(random, second, m.basis_size, ne, lmax, n2, !even);

  const auto made = powers(random, first, "A", {0, basis_functions(lmax)}, lmax, order, n, tell);
  first.steps.push_back(collect(random, "I1", first, made, tell, ne, 4));
  const Made told = {int(first.steps.size()), basis_functions(tell)};
  first.steps.push_back(collect(random, "I", first, {told}, tell, 1, n2));
  m.message = int(first.steps.size());
  add_density(random, m, first, "rho0", made);
  first.norm = normals(random, m.density - 1, 1.0);

  Functions coupled;
  GraceStep couple = product("YI", 0, 1, basis_functions(lmax), told.functions, lmax, n2, coupled);
  couple.kind = GraceStep::Kind::Couple;
  couple.left = couple.right = 0;
  second.steps.push_back(couple);
  const int functions = (tell + 1) * (tell + 1) + 1;
  GraceStep B =
      collect(random, "B", second, {{1, coupled}, {0, basis_functions(lmax)}}, lmax, 1, np);
  for (int &f : B.sources[1].from) f = f * functions + functions - 1;
  second.steps.push_back(B);
  const Made base = {2, basis_functions(lmax)};
  add_density(random, m, second, "rho1", powers(random, second, "B", base, lmax, order, np, 0));
  second.norm = normals(random, m.density, 1.0);
  m.layers = {first, second};
  return m;
}

}    // namespace synthetic

#endif
