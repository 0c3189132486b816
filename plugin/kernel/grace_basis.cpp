#include "grace_basis.h"

#include <algorithm>

using namespace smax;
using namespace smax::grace;

Basis::Basis(const GraceModel &m, const Kernel &kernel) :
    kernel(kernel), bonds(m, m.layers[0], kernel), ne(int(m.elements.size())),
    lmax(m.layers[0].lmax), nlm(bonds.functions()), nch(padded(m.layers[0].channels)),
    nhid(bonds.hidden())
{
  const GraceLayer &layer = m.layers[0];
  const int h0 = layer.hidden.back();
  out.assign(size_t(lmax + 1) * nhid * nch, 0.0);
  out_back = out;
  for (int l = 0; l <= lmax; l++)
    for (int h = 0; h < h0; h++)
      for (int n = 0; n < layer.channels; n++) {
        const double w = layer.radial_out[(size_t(l) * h0 + h) * layer.channels + n];
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
      for (int n = 0; n < layer.channels; n++)
        weight[(size_t(i) * ne + j) * nch + n] =
            layer.indicator[size_t(j) * layer.channels + n] * layer.inverse_neighbours[i];
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

void Basis::forward(const Batch &b, double *A, bool derivatives)
{
  const int nslot = int(b.slots.size());
  bonds.begin(b, derivatives);
  double *B = room(sums, size_t(nlm) * nslot * nhid);
  double *T = room(mixed, size_t(nlm) * nslot * nch);

  for (int k = 0; k < nslot; k++)
    for (int i = b.slots[k].first; i < b.slots[k].last; i++) {
      const Block &block = b.blocks[i];
      bonds.evaluate(b, block);
      kernel.multiply_rows(nlm, nhid, block.ncol, bonds.Y(block), block.ncol, bonds.H(block),
                           2 * block.ncol, B + size_t(k) * nhid, long(nslot) * nhid,
                           i > b.slots[k].first);
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
  room(P, nlm * 2 * BLOCK);
  kernel.spread_slots(slots(b), dA, dT);
  for (int l = 0; l <= lmax; l++)
    kernel.multiply((2 * l + 1) * nslot, nch, nhid, dT + size_t(l) * l * nslot * nch, nch,
                    out_back.data() + size_t(l) * nch * nhid, dB + size_t(l) * l * nslot * nhid,
                    nhid, false);
  for (int k = 0; k < nslot; k++)
    for (int i = b.slots[k].first; i < b.slots[k].last; i++) {
      const Block &block = b.blocks[i];
      kernel.multiply_small(nlm, nhid, 2 * block.ncol, dB + size_t(k) * nhid, long(nslot) * nhid,
                            bonds.H(block), 2 * block.ncol, P.data(), 2 * block.ncol, false);
      bonds.gradient(b, block, P.data());
    }
}

double Basis::memory_usage() const
{
  size_t n = 0;
  for (const AlignedVector *v : {&out, &out_back, &weight, &P, &sums, &mixed}) n += v->size();
  return 8.0 * double(n) + bonds.memory_usage();
}
