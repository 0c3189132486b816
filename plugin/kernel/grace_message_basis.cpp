#include "grace_message_basis.h"

#include <algorithm>

using namespace smax;
using namespace smax::grace;

MessageBasis::MessageBasis(const GraceModel &m, const Kernel &kernel) :
    kernel(kernel), bonds(m, m.layers[1], kernel), lmax(m.layers[1].lmax), nlm(bonds.functions()),
    nb(m.message_functions() + 1), used(m.layers[1].channels), nch(padded(used)),
    nhid(bonds.hidden()), nr((lmax + 1) * nch), inverse_neighbours(m.layers[1].inverse_neighbours)
{
  const GraceLayer &layer = m.layers[1];
  const int h0 = layer.hidden.back(), ne = int(m.elements.size());
  out.assign(size_t(nhid) * nr, 0.0);
  for (int l = 0; l <= lmax; l++)
    for (int h = 0; h < h0; h++)
      for (int n = 0; n < used; n++)
        out[size_t(h) * nr + l * nch + n] = layer.radial_out[(size_t(l) * h0 + h) * used + n];
  out_back = out;
  pack_in_place(out, 0, nhid, nr, kernel.width);
  indicator.assign(size_t(ne) * nch, 0.0);
  for (int e = 0; e < ne; e++)
    std::copy_n(layer.indicator.data() + size_t(e) * used, used, &indicator[size_t(e) * nch]);
  M.assign(size_t(BLOCK) * nb * nch, 0.0);    // what pads the channels stays zero
  dM = M;
  dR.assign(size_t(BLOCK) * nr, 0.0);
  dH.resize(size_t(BLOCK) * nhid);
  transposed.resize(size_t(BLOCK) * nhid);
  P.resize(size_t(nlm) * 2 * BLOCK);
  one.resize(size_t(nlm) * nb * nch);
}

// R[column] = H W
void MessageBasis::radial(const Block &block)
{
  const double *h = bonds.H(block);
  for (int k = 0; k < nhid; k++)
    for (int c = 0; c < block.ncol; c++)
      transposed[size_t(c) * nhid + k] = h[size_t(k) * 2 * block.ncol + c];
  kernel.multiply(block.ncol, nhid, nr, transposed.data(), nhid, out.data(),
                  R.data() + size_t(block.column) * nr, nr, false);
}

Messages MessageBasis::messages_of(const Batch &b, const Slot &slot, const Block &block,
                                   const int *row, const double *messages)
{
  int n = 0;
  for (; n < block.ncol && b.bond[block.column + n] >= 0; n++) {
    const double *from = messages + size_t(row[b.bond[block.column + n]]) * (nb - 1) * used;
    double *to = M.data() + size_t(n) * nb * nch;
    for (int f = 0; f + 1 < nb; f++) std::copy_n(from + f * used, used, to + f * nch);
    std::copy_n(&indicator[size_t(slot.element) * nch], nch, to + (nb - 1) * nch);
  }
  return {lmax,           nb,       nch, n,         R.data() + size_t(block.column) * nr,
          bonds.Y(block), M.data(), nr,  block.ncol};
}

void MessageBasis::gather_sums(const Batch &b, int atom, double *A)
{
  const double factor = inverse_neighbours[b.element[atom]];
  for (int f = 0; f < nlm * nb; f++) {
    double *to = A + (size_t(f) * b.natoms + atom) * nch;
    for (int n = 0; n < nch; n++) to[n] = factor * one[size_t(f) * nch + n];
  }
}

void MessageBasis::take_gradient(const Batch &b, int atom, const double *dA)
{
  const double factor = inverse_neighbours[b.element[atom]];
  for (int f = 0; f < nlm * nb; f++) {
    const double *from = dA + (size_t(f) * b.natoms + atom) * nch;
    for (int n = 0; n < nch; n++) one[size_t(f) * nch + n] = factor * from[n];
  }
}

// Slots are sorted by atom.
void MessageBasis::forward(const Batch &b, const int *row, const double *messages, double *A)
{
  bonds.begin(b, true);
  room(R, size_t(b.ncol()) * nr);
  const int nslot = int(b.slots.size());
  for (int atom = 0, k = 0; atom < b.natoms; atom++) {
    std::fill(one.begin(), one.end(), 0.0);
    for (; k < nslot && b.slots[k].atom == atom; k++)
      for (int i = b.slots[k].first; i < b.slots[k].last; i++) {
        const Block &block = b.blocks[i];
        bonds.evaluate(b, block);
        radial(block);
        kernel.sum_messages(messages_of(b, b.slots[k], block, row, messages), one.data());
      }
    gather_sums(b, atom, A);
  }
}

// From dR and the first half of P, dE/dY
void MessageBasis::bond_gradient(Batch &b, const Block &block)
{
  const int ncol = block.ncol;
  kernel.multiply_rows(nhid, ncol, nr, out_back.data(), nr, dR.data(), nr, dH.data(), ncol, false);
  for (int lm = 0; lm < nlm; lm++) std::fill_n(&P[size_t(2 * lm + 1) * ncol], ncol, 0.0);
  double *by_u = &P[ncol];    // Y_00 is 1
  const double *dh = bonds.H(block) + ncol;
  for (int k = 0; k < nhid; k++)
    for (int c = 0; c < ncol; c++)
      by_u[c] += dH[size_t(k) * ncol + c] * dh[size_t(k) * 2 * ncol + c];
  bonds.gradient(b, block, P.data());
}

void MessageBasis::backward(Batch &b, const double *dA, const int *row, const double *messages,
                            double *dmessages)
{
  const int nslot = int(b.slots.size());
  for (int atom = 0, k = 0; atom < b.natoms; atom++) {
    take_gradient(b, atom, dA);
    for (; k < nslot && b.slots[k].atom == atom; k++)
      for (int i = b.slots[k].first; i < b.slots[k].last; i++) {
        const Block &block = b.blocks[i];
        const Messages s = messages_of(b, b.slots[k], block, row, messages);
        // columns without a bond: whatever is there, no one reads what it leads to
        kernel.spread_messages(s, one.data(), dR.data(), P.data(), 2 * block.ncol, dM.data());
        for (int c = 0; c < s.nbond; c++) {
          double *to = dmessages + size_t(row[b.bond[block.column + c]]) * (nb - 1) * used;
          const double *from = dM.data() + size_t(c) * nb * nch;
          for (int f = 0; f + 1 < nb; f++)
            for (int n = 0; n < used; n++) to[f * used + n] += from[f * nch + n];
        }
        bond_gradient(b, block);
      }
  }
}

double MessageBasis::memory_usage() const
{
  size_t n = 0;
  for (const AlignedVector *v : {&out, &out_back, &indicator, &R, &M, &dR, &dM, &dH, &one})
    n += v->size();
  return 8.0 * double(n) + bonds.memory_usage();
}
