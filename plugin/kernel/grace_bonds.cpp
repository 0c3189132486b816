#include "grace_bonds.h"

#include <algorithm>
#include <cmath>

using namespace smax;
using namespace smax::grace;

namespace {

// Coefficients of the harmonics (see grace_angular.h), with sqrt(4 pi) and sqrt(2) of m > 0.
std::vector<double> harmonic_recursion(int lmax)
{
  std::vector<double> out;
  double sectoral = 1.0;
  for (int l = 0; l <= lmax; l++) {
    if (l) sectoral *= std::sqrt(1.0 + 0.5 / l);
    for (int m = 0; m < l; m++) {
      const double l2 = double(l) * l, m2 = double(m) * m, k2 = double(l - 1) * (l - 1);
      out.push_back(std::sqrt((4.0 * l2 - 1.0) / (l2 - m2)));
      out.push_back(m == l - 1 ? 0.0 : -std::sqrt((k2 - m2) / (4.0 * k2 - 1.0)));
    }
    out.push_back(l ? std::sqrt(2.0) * sectoral : 1.0);
    out.push_back(0.0);
  }
  return out;
}

}    // namespace

BondFunctions::BondFunctions(const GraceModel &m, const GraceLayer &layer, const Kernel &kernel) :
    kernel(kernel), lmax(layer.lmax), nlm((lmax + 1) * (lmax + 1)), nbasis(m.basis_size),
    power(m.cutoff_power), nhid(padded(layer.hidden.back())), recursion(harmonic_recursion(lmax))
{
  for (size_t i = 0; i < layer.hidden.size(); i++) {
    const int n_in = i ? layer.hidden[i - 1] : nbasis, n_out = layer.hidden[i];
    const int stride = i ? widths[i - 1] : nbasis;
    widths.push_back(padded(n_out));
    AlignedVector w(size_t(widths[i]) * stride, 0.0);
    for (int a = 0; a < n_in; a++)
      for (int b = 0; b < n_out; b++)
        w[size_t(b) * stride + a] = layer.radial[i][size_t(a) * n_out + b];
    layers.push_back(std::move(w));
  }
}

Columns BondFunctions::columns(const Batch &b, const Block &block)
{
  const int at = block.column;
  return {block.ncol,    b.dx.data() + at, b.dy.data() + at, b.dz.data() + at, b.rcut.data() + at,
          d.data() + at, x.data() + at,    y.data() + at,    z.data() + at};
}

void BondFunctions::radial(const Columns &c, double *H)
{
  const size_t most = std::max(nbasis, *std::max_element(widths.begin(), widths.end()));
  const double *in = room(even, most * 2 * c.ncol);
  double *next = room(odd, most * 2 * c.ncol);
  kernel.bonds(c, nbasis, power, even.data());
  int n_in = nbasis;
  const int columns = with_derivatives ? 2 * c.ncol : c.ncol;
  for (size_t i = 0; i < layers.size(); i++) {
    double *to = i + 1 == layers.size() ? H : next;
    kernel.multiply_small(widths[i], n_in, columns, layers[i].data(), n_in, in, 2 * c.ncol, to,
                          2 * c.ncol, false);
    kernel.silu_rows(widths[i], c.ncol, to, with_derivatives);
    next = in == even.data() ? even.data() : odd.data();
    in = to;
    n_in = widths[i];
  }
}

void BondFunctions::begin(const Batch &b, bool derivatives)
{
  with_derivatives = derivatives;
  const size_t ncol = b.ncol();
  for (AlignedVector *v : {&d, &x, &y, &z}) room(*v, ncol);
  room(h, size_t(nhid) * 2 * ncol);
  room(y_lm, nlm * ncol);
}

void BondFunctions::evaluate(const Batch &b, const Block &block)
{
  const Columns c = columns(b, block);
  radial(c, h.data() + size_t(nhid) * 2 * block.column);
  kernel.harmonics(lmax, recursion.data(), c, y_lm.data() + size_t(nlm) * block.column);
}

void BondFunctions::gradient(Batch &b, const Block &block, const double *P)
{
  const size_t at = block.column;
  kernel.gradient(lmax, recursion.data(), columns(b, block), Y(block), P, b.gx.data() + at,
                  b.gy.data() + at, b.gz.data() + at);
}

double BondFunctions::memory_usage() const
{
  return 8.0 * double(even.size() + odd.size() + h.size() + y_lm.size());
}
