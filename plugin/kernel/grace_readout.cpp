#include "grace_readout.h"

#include <algorithm>
#include <cmath>

using namespace smax;
using namespace smax::grace;

Readout::Readout(const GraceModel &m, const Kernel &kernel) :
    kernel(kernel), nlayer(int(m.layers.size())), nrho(m.density), nrho_pad(padded(m.density)),
    nhid(padded(m.energy_hidden)), tanh(m.activation == GraceModel::Activation::Tanh),
    scale(m.scale), shift(m.shift)
{
  for (const GraceLayer &layer : m.layers) norm.push_back(layer.norm);
  energy_in.assign(size_t(nrho) * nhid, 0.0);
  energy_back.assign(size_t(nhid) * nrho_pad, 0.0);
  energy_out.assign(nhid, 0.0);
  for (int k = 0; k < m.energy_hidden; k++) {
    energy_out[k] = m.energy_out[k];
    for (int o = 1; o < nrho; o++) {    // the first density bypasses the perceptron
      const double w = m.energy_in[size_t(o - 1) * m.energy_hidden + k];
      energy_in[size_t(o) * nhid + k] = w;
      energy_back[size_t(k) * nrho_pad + o] = w;
    }
  }
  pack_in_place(energy_in, 0, nrho, nhid, kernel.width);
  pack_in_place(energy_back, 0, nhid, nrho_pad, kernel.width);
}

namespace {

// 1 / sqrt(mean of x^2 + 1e-10), as the model defines it
double inverse_rms(const double *x, int n)
{
  double sum = 0.0;
  for (int k = 0; k < n; k++) sum += x[k] * x[k];
  return 1.0 / std::sqrt(sum / n + 1e-10);
}

}    // namespace

void Readout::add_normalised(int layer, const double *rho, double *to) const
{
  const std::vector<double> &s = norm[layer];
  const int n = int(s.size()), first = nrho - n;
  for (int k = 0; k < first; k++) to[k] += rho[k];
  if (!n) return;
  const double r = inverse_rms(rho + first, n);
  for (int k = 0; k < n; k++) to[first + k] += s[k] * r * rho[first + k];
}

void Readout::back_normalised(int layer, const double *rho, const double *g, double *drho) const
{
  const std::vector<double> &s = norm[layer];
  const int n = int(s.size()), first = nrho - n;
  for (int k = 0; k < first; k++) drho[k] = g[k];
  if (!n) return;
  const double *x = rho + first;
  const double r = inverse_rms(x, n);
  double along = 0.0;
  for (int k = 0; k < n; k++) along += s[k] * g[first + k] * x[k];
  for (int k = 0; k < n; k++)
    drho[first + k] = r * (s[k] * g[first + k] - r * r * along / n * x[k]);
}

void Readout::evaluate(const Batch &b, const double *const *rho, double *energy,
                       double *const *drho)
{
  const int n = b.natoms;
  double *x = room(sum, size_t(n) * nrho_pad), *dx = room(dsum, size_t(n) * nrho_pad);
  double *h = room(hidden, size_t(n) * nhid), *slopes = room(slope, size_t(n) * nhid);
  std::fill_n(x, size_t(n) * nrho_pad, 0.0);
  for (int l = 0; l < nlayer; l++)
    for (int i = 0; i < n; i++)
      add_normalised(l, rho[l] + size_t(i) * nrho_pad, x + size_t(i) * nrho_pad);

  kernel.multiply(n, nrho, nhid, x, nrho_pad, energy_in.data(), h, nhid, false);
  (tanh ? kernel.tanh : kernel.silu)(n * nhid, h, slopes);
  for (int i = 0; i < n; i++) {
    double e = x[size_t(i) * nrho_pad];
    for (int k = 0; k < nhid; k++) {
      e += energy_out[k] * h[size_t(i) * nhid + k];
      slopes[size_t(i) * nhid + k] *= scale * energy_out[k];
    }
    energy[i] = scale * e + shift[b.element[i]];
  }

  kernel.multiply(n, nhid, nrho_pad, slopes, nhid, energy_back.data(), dx, nrho_pad, false);
  for (int i = 0; i < n; i++) dx[size_t(i) * nrho_pad] = scale;
  for (int l = 0; l < nlayer; l++)
    for (int i = 0; i < n; i++)
      back_normalised(l, rho[l] + size_t(i) * nrho_pad, dx + size_t(i) * nrho_pad,
                      drho[l] + size_t(i) * nrho_pad);
}
