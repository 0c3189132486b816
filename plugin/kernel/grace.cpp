#include "grace_evaluator.h"

#include <algorithm>
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

GraceEvaluator::Impl::Impl(const GraceModel &m, Isa isa, int batch) :
    isa(level_of(isa)), kernel(kernel_of(this->isa)), gather(checked(m), kernel.width, batch),
    basis(m, kernel), network(m, 0, kernel), readout(m, kernel), zbl(m),
    told(m.message_functions()), channels(m.layers.back().channels), energy(std::max(batch, 1))
{
  if (m.layers.size() < 2) return;
  second_basis.reset(new MessageBasis(m, kernel));
  second_network.reset(new Network(m, 1, kernel));
}

GraceEvaluator::GraceEvaluator(const GraceModel &model, Isa isa, int batch) :
    impl(new Impl(model, isa, batch))
{
}

GraceEvaluator::~GraceEvaluator() = default;

Isa GraceEvaluator::isa() const
{
  return impl->isa;
}

int GraceEvaluator::layers() const
{
  return impl->second_basis ? 2 : 1;
}

void GraceEvaluator::evaluate(const GraceBonds &bonds, double *energy, double *gx, double *gy,
                              double *gz)
{
  Impl &p = *impl;
  if (layers() != 1) throw std::logic_error("grace: a two-layer model evaluated as one layer");
  for (double *g : {gx, gy, gz}) std::fill(g + bonds.first[0], g + bonds.first[bonds.natoms], 0.0);
  Batch &b = p.batch;
  p.gather.begin(bonds);
  while (p.gather.next(bonds, b)) {
    p.basis.forward(b, p.network.basis(b.natoms), true);
    p.network.forward(b);
    const double *rho = p.network.densities();
    double *drho = p.network.density_gradient(b.natoms);
    p.readout.evaluate(b, &rho, p.energy.data(), &drho);
    p.network.backward(b);
    p.basis.backward(b, p.network.basis_gradient());
    for (int i = 0; i < b.natoms; i++) energy[b.atom[i]] = p.energy[i];
    spread_gradient(b, gx, gy, gz);
  }
  p.zbl.add(bonds, energy, gx, gy, gz);
}

double GraceEvaluator::memory_usage() const
{
  const Impl &p = *impl;
  double bytes = p.basis.memory_usage() + p.network.memory_usage();
  if (p.second_basis) bytes += p.second_basis->memory_usage() + p.second_network->memory_usage();
  return bytes;
}
