#include "grace_basis.h"

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

Basis::Basis(const GraceModel &m, const Kernel &kernel) :
    kernel(kernel), ne(int(m.elements.size())), lmax(m.lmax), nlm((lmax + 1) * (lmax + 1)),
    nbasis(m.basis_size), power(m.cutoff_power), nch(padded(m.channels)),
    nhid(padded(m.hidden.back())), recursion(harmonic_recursion(lmax))
{
  for (size_t i = 0; i < m.hidden.size(); i++) {
    const int n_in = i ? m.hidden[i - 1] : nbasis, n_out = m.hidden[i];
    const int stride = i ? widths[i - 1] : nbasis;
    widths.push_back(padded(n_out));
    AlignedVector w(size_t(widths[i]) * stride, 0.0);
    for (int a = 0; a < n_in; a++)
      for (int b = 0; b < n_out; b++)
        w[size_t(b) * stride + a] = m.radial[i][size_t(a) * n_out + b];
    layers.push_back(std::move(w));
  }
  const int h0 = m.hidden.back();
  out.assign(size_t(lmax + 1) * nhid * nch, 0.0);
  out_back = out;
  for (int l = 0; l <= lmax; l++)
    for (int h = 0; h < h0; h++)
      for (int n = 0; n < m.channels; n++) {
        const double w = m.radial_out[(size_t(l) * h0 + h) * m.channels + n];
        out[(size_t(l) * nhid + h) * nch + n] = w;
        out_back[(size_t(l) * nch + n) * nhid + h] = w;
      }
  for (int l = 0; l <= lmax; l++) {
    pack_in_place(out, size_t(l) * nhid * nch, nhid, nch, kernel.width);
    pack_in_place(out_back, size_t(l) * nhid * nch, nch, nhid, kernel.width);
  }
  weight.assign(size_t(ne) * ne * nch, 0.0);
  for (int i = 0; i < ne; i++)
    for (int j = 0; j < ne; j++)
      for (int n = 0; n < m.channels; n++)
        weight[(size_t(i) * ne + j) * nch + n] =
            m.indicator[size_t(j) * m.channels + n] * m.inverse_neighbours[i];
}

Columns Basis::columns(const Batch &b, const Block &block)
{
  const int at = block.column;
  return {block.ncol,    b.dx.data() + at, b.dy.data() + at, b.dz.data() + at, b.rcut.data() + at,
          d.data() + at, x.data() + at,    y.data() + at,    z.data() + at};
}

void Basis::radial(const Columns &c, double *H)
{
  const size_t most = std::max(nbasis, *std::max_element(widths.begin(), widths.end()));
  const double *in = room(even, most * 2 * c.ncol);
  double *next = room(odd, most * 2 * c.ncol);
  kernel.bonds(c, nbasis, power, even.data());
  int n_in = nbasis;
  for (size_t i = 0; i < layers.size(); i++) {
    double *to = i + 1 == layers.size() ? H : next;
    kernel.multiply_small(widths[i], n_in, 2 * c.ncol, layers[i].data(), n_in, in, 2 * c.ncol, to,
                          2 * c.ncol, false);
    kernel.silu_rows(widths[i], c.ncol, to);
    next = in == even.data() ? even.data() : odd.data();
    in = to;
    n_in = widths[i];
  }
}

Slots Basis::slots(const Batch &b)
{
  slot_atom.clear();
  slot_weight.clear();
  for (const Slot &s : b.slots) {
    slot_atom.push_back(s.atom);
    slot_weight.push_back(weight.data() + (size_t(b.element[s.atom]) * ne + s.element) * nch);
  }
  return {nlm, int(b.slots.size()), b.natoms, nch, slot_atom.data(), slot_weight.data()};
}

void Basis::forward(const Batch &b, double *A)
{
  const size_t ncol = b.ncol();
  const int nslot = int(b.slots.size());
  for (AlignedVector *v : {&d, &x, &y, &z}) room(*v, ncol);
  room(H, size_t(nhid) * 2 * ncol);
  room(Y, nlm * ncol);
  room(P, nlm * 2 * BLOCK);
  double *B = room(sums, size_t(nlm) * nslot * nhid);
  double *T = room(mixed, size_t(nlm) * nslot * nch);

  for (int k = 0; k < nslot; k++)
    for (int i = b.slots[k].first; i < b.slots[k].last; i++) {
      const Columns c = columns(b, b.blocks[i]);
      const size_t at = b.blocks[i].column;
      double *h = H.data() + nhid * 2 * at, *y = Y.data() + nlm * at;
      radial(c, h);
      kernel.harmonics(lmax, recursion.data(), c, y);
      kernel.multiply_rows(nlm, nhid, c.ncol, y, c.ncol, h, 2 * c.ncol, B + size_t(k) * nhid,
                           long(nslot) * nhid, i > b.slots[k].first);
    }
  for (int l = 0; l <= lmax; l++)
    kernel.multiply((2 * l + 1) * nslot, nhid, nch, B + size_t(l) * l * nslot * nhid, nhid,
                    out.data() + size_t(l) * nhid * nch, T + size_t(l) * l * nslot * nch, nch,
                    false);
  std::fill_n(A, size_t(nlm) * b.natoms * nch, 0.0);
  kernel.sum_slots(slots(b), T, A);
}

void Basis::backward(Batch &b, const double *dA)
{
  const int nslot = int(b.slots.size());
  double *dB = sums.data(), *dT = mixed.data();
  kernel.spread_slots(slots(b), dA, dT);
  for (int l = 0; l <= lmax; l++)
    kernel.multiply((2 * l + 1) * nslot, nch, nhid, dT + size_t(l) * l * nslot * nch, nch,
                    out_back.data() + size_t(l) * nch * nhid, dB + size_t(l) * l * nslot * nhid,
                    nhid, false);
  for (int k = 0; k < nslot; k++)
    for (int i = b.slots[k].first; i < b.slots[k].last; i++) {
      const Columns c = columns(b, b.blocks[i]);
      const size_t at = b.blocks[i].column;
      kernel.multiply_small(nlm, nhid, 2 * c.ncol, dB + size_t(k) * nhid, long(nslot) * nhid,
                            H.data() + nhid * 2 * at, 2 * c.ncol, P.data(), 2 * c.ncol, false);
      kernel.gradient(lmax, recursion.data(), c, Y.data() + nlm * at, P.data(), b.gx.data() + at,
                      b.gy.data() + at, b.gz.data() + at);
    }
}

double Basis::memory_usage() const
{
  size_t n = 0;
  for (const AlignedVector *v : {&out, &out_back, &weight, &even, &odd, &H, &Y, &P, &sums, &mixed})
    n += v->size();
  return 8.0 * double(n);
}
