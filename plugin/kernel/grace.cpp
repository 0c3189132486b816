#include "grace.h"

#include "grace_basis.h"
#include "grace_network.h"
#include "grace_zbl.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

using namespace smax;
using namespace smax::grace;

namespace {

Isa level_of(Isa isa)
{
  const Isa best = isa_best();
  if (isa == Isa::Auto) return best;
  if (isa > best)
    throw std::invalid_argument(std::string("grace isa is ") + isa_name(isa) +
                                " but must be one that this processor runs: up to " +
                                isa_name(best));
  return isa;
}

const Kernel &kernel_of(Isa isa)
{
  const Kernel *k = kernel_plain();
#if defined(__x86_64__)
  if (isa == Isa::Avx2) k = kernel_avx2();
  if (isa == Isa::Avx512) k = kernel_avx512();
#endif
  if (!k) throw std::invalid_argument(std::string("grace: no ") + isa_name(isa) + " in this build");
  return *k;
}

const GraceModel &checked(const GraceModel &m)
{
  m.check();
  return m;
}

}    // namespace

struct GraceEvaluator::Impl {
  Isa isa;
  const Kernel &kernel;
  int most, ne;
  std::vector<double> cutoff;
  Basis basis;
  Network network;
  Zbl zbl;
  Batch batch;
  std::vector<int> order;
  std::vector<std::vector<int>> by_element;    // bonds of one atom
  std::vector<double> energy;

  Impl(const GraceModel &m, Isa isa, int batch) :
      isa(level_of(isa)), kernel(kernel_of(this->isa)), most(std::max(batch, 1)),
      ne(int(m.elements.size())), cutoff(m.cutoff), basis(checked(m), kernel), network(m, kernel),
      zbl(m), by_element(ne), energy(most)
  {
  }

  void sort_atoms(const GraceBonds &bonds);
  void add_slot(const GraceBonds &bonds, int atom, int element);
  void gather(const GraceBonds &bonds, int first, int count);
};

// Atoms of one element together: they share the weights of the readout.
void GraceEvaluator::Impl::sort_atoms(const GraceBonds &bonds)
{
  order.resize(bonds.natoms);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return bonds.element[a] < bonds.element[b]; });
}

void GraceEvaluator::Impl::add_slot(const GraceBonds &bonds, int atom, int element)
{
  const std::vector<int> &list = by_element[element];
  if (list.empty()) return;
  const double rcut = cutoff[size_t(batch.element[atom]) * ne + element];
  const int first = int(batch.blocks.size()), nbond = int(list.size());
  for (int at = 0; at < nbond; at += BLOCK) {
    const int n = std::min(BLOCK, nbond - at);
    const int ncol = (n + kernel.width - 1) / kernel.width * kernel.width;
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

void GraceEvaluator::Impl::gather(const GraceBonds &bonds, int first, int count)
{
  batch.natoms = count;
  batch.atom.assign(order.begin() + first, order.begin() + first + count);
  batch.element.clear();
  batch.slots.clear();
  batch.blocks.clear();
  batch.bond.clear();
  for (AlignedVector *v : {&batch.dx, &batch.dy, &batch.dz, &batch.rcut}) v->clear();
  for (int i = 0; i < count; i++) {
    const int atom = batch.atom[i], element = bonds.element[atom];
    batch.element.push_back(element);
    for (std::vector<int> &list : by_element) list.clear();
    for (int b = bonds.first[atom]; b < bonds.first[atom + 1]; b++) {
      const double rcut = cutoff[size_t(element) * ne + bonds.neighbour[b]];
      const double rsq =
          bonds.dx[b] * bonds.dx[b] + bonds.dy[b] * bonds.dy[b] + bonds.dz[b] * bonds.dz[b];
      if (rsq < rcut * rcut) by_element[bonds.neighbour[b]].push_back(b);
    }
    for (int e = 0; e < ne; e++) add_slot(bonds, i, e);
  }
  for (AlignedVector *v : {&batch.gx, &batch.gy, &batch.gz}) room(*v, batch.ncol());
}

/* ---------------------------------------------------------------------- */

GraceEvaluator::GraceEvaluator(const GraceModel &model, Isa isa, int batch) :
    impl(new Impl(model, isa, batch))
{
}

GraceEvaluator::~GraceEvaluator() = default;

Isa GraceEvaluator::isa() const
{
  return impl->isa;
}

void GraceEvaluator::evaluate(const GraceBonds &bonds, double *energy, double *gx, double *gy,
                              double *gz)
{
  Impl &p = *impl;
  for (double *g : {gx, gy, gz}) std::fill(g + bonds.first[0], g + bonds.first[bonds.natoms], 0.0);
  p.sort_atoms(bonds);
  for (int first = 0; first < bonds.natoms; first += p.most) {
    p.gather(bonds, first, std::min(p.most, bonds.natoms - first));
    Batch &b = p.batch;
    p.basis.forward(b, p.network.basis(b.natoms));
    p.network.forward(b, p.energy.data());
    p.network.backward(b);
    p.basis.backward(b, p.network.basis_gradient());
    for (int i = 0; i < b.natoms; i++) energy[b.atom[i]] = p.energy[i];
    for (int c = 0; c < b.ncol(); c++) {
      const int k = b.bond[c];
      if (k < 0) continue;
      gx[k] = b.gx[c];
      gy[k] = b.gy[c];
      gz[k] = b.gz[c];
    }
  }
  p.zbl.add(bonds, energy, gx, gy, gz);
}

double GraceEvaluator::memory_usage() const
{
  return impl->basis.memory_usage() + impl->network.memory_usage();
}
