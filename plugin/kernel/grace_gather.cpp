#include "grace_gather.h"

#include <algorithm>
#include <numeric>

using namespace smax;
using namespace smax::grace;

Gather::Gather(const GraceModel &m, int width, int most) :
    width(width), most(std::max(most, 1)), ne(int(m.elements.size())), cutoff(m.cutoff),
    by_element(ne)
{
}

// Atoms of one element together: they share the weights of the readout.
void Gather::begin(const GraceBonds &bonds)
{
  at = 0;
  order.resize(bonds.natoms);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return bonds.element[a] < bonds.element[b]; });
}

void Gather::add_slot(const GraceBonds &bonds, Batch &batch, int atom, int element)
{
  const std::vector<int> &list = by_element[element];
  if (list.empty()) return;
  const double rcut = cutoff[size_t(batch.element[atom]) * ne + element];
  const int first = int(batch.blocks.size()), nbond = int(list.size());
  for (int at = 0; at < nbond; at += BLOCK) {
    const int n = std::min(BLOCK, nbond - at);
    const int ncol = (n + width - 1) / width * width;
    batch.blocks.push_back({int(batch.bond.size()), ncol});
    for (int k = 0; k < ncol; k++) {
      const int b = k < n ? list[at + k] : -1;
      batch.bond.push_back(b);
      batch.dx.push_back(b < 0 ? 2.0 * rcut : bonds.dx[b]);
      batch.dy.push_back(b < 0 ? 0.0 : bonds.dy[b]);
      batch.dz.push_back(b < 0 ? 0.0 : bonds.dz[b]);
      batch.rcut.push_back(rcut);
    }
  }
  batch.slots.push_back({atom, element, first, int(batch.blocks.size())});
}

void Gather::add_atom(const GraceBonds &bonds, Batch &batch, int i)
{
  const int atom = batch.atom[i], element = bonds.element[atom];
  batch.element.push_back(element);
  for (std::vector<int> &list : by_element) list.clear();
  for (int b = bonds.first[atom]; b < bonds.first[atom + 1]; b++) {
    const double rcut = cutoff[size_t(element) * ne + bonds.neighbour[b]];
    const double rsq =
        bonds.dx[b] * bonds.dx[b] + bonds.dy[b] * bonds.dy[b] + bonds.dz[b] * bonds.dz[b];
    if (rsq < rcut * rcut) by_element[bonds.neighbour[b]].push_back(b);
  }
  for (int e = 0; e < ne; e++) add_slot(bonds, batch, i, e);
}

bool Gather::next(const GraceBonds &bonds, Batch &batch)
{
  const int count = std::min(most, bonds.natoms - at);
  if (count <= 0) return false;
  batch.natoms = count;
  batch.atom.assign(order.begin() + at, order.begin() + at + count);
  batch.element.clear();
  batch.slots.clear();
  batch.blocks.clear();
  batch.bond.clear();
  for (AlignedVector *v : {&batch.dx, &batch.dy, &batch.dz, &batch.rcut}) v->clear();
  for (int i = 0; i < count; i++) add_atom(bonds, batch, i);
  for (AlignedVector *v : {&batch.gx, &batch.gy, &batch.gz}) room(*v, batch.ncol());
  at += count;
  return true;
}
