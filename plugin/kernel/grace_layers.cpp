// Two-layer models in three passes, between which atoms tell their neighbours.

#include "grace_evaluator.h"

#include <algorithm>

using namespace smax;
using namespace smax::grace;

int GraceEvaluator::message_size() const
{
  return impl->told * impl->channels;
}

int GraceEvaluator::density_size() const
{
  return impl->readout.densities();
}

void GraceEvaluator::Impl::put_message(const GraceBonds &bonds, double *messages)
{
  const int nch = padded(channels);
  for (int i = 0; i < batch.natoms; i++) {
    double *to = messages + size_t(bonds.row[batch.atom[i]]) * told * channels;
    for (int f = 0; f < told; f++, to += channels)
      std::copy_n(network.message() + (size_t(f) * batch.natoms + i) * nch, channels, to);
  }
}

void GraceEvaluator::tell(const GraceBonds &bonds, double *messages, double *densities)
{
  Impl &p = *impl;
  const int n = density_size(), stride = p.readout.stride();
  p.gather.begin(bonds);
  while (p.gather.next(bonds, p.batch)) {
    p.basis.forward(p.batch, p.network.basis(p.batch.natoms), false);
    p.network.forward(p.batch);
    p.put_message(bonds, messages);
    for (int i = 0; i < p.batch.natoms; i++)
      std::copy_n(p.network.densities() + size_t(i) * stride, n,
                  densities + size_t(bonds.row[p.batch.atom[i]]) * n);
  }
}

void GraceEvaluator::hear(const GraceBonds &bonds, const double *messages, const double *densities,
                          double *energy, double *gx, double *gy, double *gz, double *dmessages,
                          double *ddensities)
{
  Impl &p = *impl;
  const int n = density_size(), stride = p.readout.stride();
  for (double *g : {gx, gy, gz}) std::fill(g + bonds.first[0], g + bonds.first[bonds.natoms], 0.0);
  Batch &b = p.batch;
  Network &network = *p.second_network;
  p.gather.begin(bonds);
  while (p.gather.next(bonds, b)) {
    p.second_basis->forward(b, bonds.neighbour_row, messages, network.basis(b.natoms));
    network.forward(b);
    double *first = room(p.first_density, size_t(b.natoms) * stride);
    for (int i = 0; i < b.natoms; i++)
      std::copy_n(densities + size_t(bonds.row[b.atom[i]]) * n, n, first + size_t(i) * stride);
    const double *rho[2] = {first, network.densities()};
    double *drho[2] = {first, network.density_gradient(b.natoms)};
    p.readout.evaluate(b, rho, p.energy.data(), drho);
    network.backward(b);
    p.second_basis->backward(b, network.basis_gradient(), bonds.neighbour_row, messages, dmessages);
    for (int i = 0; i < b.natoms; i++) {
      energy[b.atom[i]] = p.energy[i];
      std::copy_n(first + size_t(i) * stride, n, ddensities + size_t(bonds.row[b.atom[i]]) * n);
    }
    spread_gradient(b, gx, gy, gz);
  }
  p.zbl.add(bonds, energy, gx, gy, gz);
}

void GraceEvaluator::Impl::take_gradients(const GraceBonds &bonds, const double *dmessages,
                                          const double *ddensities)
{
  const int n = readout.densities(), stride = readout.stride(), nch = padded(channels);
  double *rho = network.density_gradient(batch.natoms);
  double *message = network.message_gradient(batch.natoms);
  for (int i = 0; i < batch.natoms; i++) {
    const size_t row = bonds.row[batch.atom[i]];
    std::copy_n(ddensities + row * n, n, rho + size_t(i) * stride);
    const double *from = dmessages + row * told * channels;
    for (int f = 0; f < told; f++, from += channels)
      std::copy_n(from, channels, message + (size_t(f) * batch.natoms + i) * nch);
  }
}

void GraceEvaluator::trace(const GraceBonds &bonds, const double *dmessages,
                           const double *ddensities, double *gx, double *gy, double *gz)
{
  Impl &p = *impl;
  for (double *g : {gx, gy, gz}) std::fill(g + bonds.first[0], g + bonds.first[bonds.natoms], 0.0);
  p.gather.begin(bonds);
  while (p.gather.next(bonds, p.batch)) {
    p.basis.forward(p.batch, p.network.basis(p.batch.natoms), true);
    p.network.forward_for_backward(p.batch);
    p.take_gradients(bonds, dmessages, ddensities);
    p.network.backward(p.batch);
    p.basis.backward(p.batch, p.network.basis_gradient());
    spread_gradient(p.batch, gx, gy, gz);
  }
}
