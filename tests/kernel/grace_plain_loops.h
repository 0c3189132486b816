// Energies of GRACE models by plain loops, formula by formula.

#ifndef SMAX_TEST_GRACE_PLAIN_LOOPS_H
#define SMAX_TEST_GRACE_PLAIN_LOOPS_H

#include "grace_synthetic.h"

namespace synthetic {

inline double silu(double x)
{
  return x / (1.0 + std::exp(-x));
}

using TensorOf = std::vector<std::vector<double>>;    // [function][channel]

inline TensorOf zeros(int functions, int channels)
{
  return TensorOf(functions, std::vector<double>(channels, 0.0));
}

// The radial functions of one bond: [l][channel]
inline TensorOf radial(const GraceModel &m, const GraceLayer &layer, double u)
{
  const int p = m.cutoff_power;
  const double f = u < 1.0 ? 1.0 - 0.5 * (p + 1) * (p + 2) * std::pow(u, p) +
                                 p * (p + 2) * std::pow(u, p + 1) -
                                 0.5 * p * (p + 1) * std::pow(u, p + 2)
                           : 0.0;
  std::vector<double> values;
  for (int k = 1; k <= m.basis_size; k++)
    values.push_back(u < 1.0 ? f * std::cos(k * std::acos(2.0 * u - 1.0)) : 0.0);
  for (size_t i = 0; i < layer.hidden.size(); i++) {
    std::vector<double> next(layer.hidden[i], 0.0);
    for (size_t a = 0; a < values.size(); a++)
      for (size_t b = 0; b < next.size(); b++)
        next[b] += values[a] * layer.radial[i][a * next.size() + b];
    for (double &x : next) x = silu(x);
    values = next;
  }
  TensorOf out = zeros(layer.lmax + 1, layer.channels);
  for (int l = 0; l <= layer.lmax; l++)
    for (size_t h = 0; h < values.size(); h++)
      for (int n = 0; n < layer.channels; n++)
        out[l][n] += values[h] * layer.radial_out[(l * values.size() + h) * layer.channels + n];
  return out;
}

inline void add_product(const std::vector<double> &in, const double *w, std::vector<double> &out)
{
  for (size_t n = 0; n < in.size(); n++)
    for (size_t k = 0; k < out.size(); k++) out[k] += in[n] * w[n * out.size() + k];
}

// told: functions of a neighbour's message
inline TensorOf step(const GraceStep &s, const std::vector<TensorOf> &t, int element, int told)
{
  TensorOf out = zeros(s.nout, s.channels);
  for (size_t i = 0; i < s.coef.size(); i++)
    for (int n = 0; n < s.channels; n++)
      out[s.target[i]][n] += s.kind == GraceStep::Kind::Couple
                                 ? s.coef[i] * t[0][s.a[i] * (told + 1) + s.b[i]][n]
                                 : s.coef[i] * t[s.left][s.a[i]][n] * t[s.right][s.b[i]][n];
  for (size_t f = 0; f < s.group.size(); f++) {
    const std::vector<double> &in = t[s.left][f];
    add_product(in, &s.left_weight[s.group[f] * in.size() * s.channels], out[f]);
  }
  for (size_t i = 0; i < s.to.size(); i++) {
    const std::vector<double> &in = t[s.right][s.from[i]];
    add_product(in, &s.right_weight[s.pair[i] * in.size() * s.channels], out[s.to[i]]);
  }
  for (const GraceSource &q : s.sources) {
    const double *w = &q.weight[q.elements > 1 ? element * q.weight.size() / q.elements : 0];
    for (size_t i = 0; i < q.to.size(); i++) {
      const std::vector<double> &in = t[q.tensor][q.from[i]];
      add_product(in, w + q.pair[i] * in.size() * s.channels, out[q.to[i]]);
    }
  }
  return out;
}

// All tensors of one layer of atom i. tell(bond): [function][channel] of the neighbour's message.
template <class Tell>
std::vector<TensorOf> tensors(const GraceModel &m, size_t layer, const GraceBonds &b, int i,
                              const Tell &tell)
{
  const GraceLayer &q = m.layers[layer];
  const int ne = int(m.elements.size()), e = b.element[i], n = q.channels;
  const int told = layer ? m.message_functions() : 0;
  std::vector<TensorOf> out = {zeros(m.basis_functions(layer), n)};
  for (int k = b.first[i]; k < b.first[i + 1]; k++) {
    const double d = std::sqrt(b.dx[k] * b.dx[k] + b.dy[k] * b.dy[k] + b.dz[k] * b.dz[k] + 1e-10);
    const auto R = radial(m, q, d / m.cutoff[e * ne + b.neighbour[k]]);
    const auto Y = harmonics(q.lmax, b.dx[k] / d, b.dy[k] / d, b.dz[k] / d);
    TensorOf M;
    if (told) M = tell(k);
    const double *z = &q.indicator[b.neighbour[k] * n];
    M.push_back(std::vector<double>(z, z + n));
    for (int l = 0, lm = 0, f = 0; l <= q.lmax; l++)
      for (int o = 0; o <= 2 * l; o++, lm++)
        for (size_t a = 0; a < M.size(); a++, f++)
          for (int c = 0; c < n; c++)
            out[0][f][c] += R[l][c] * Y[lm] * M[a][c] * q.inverse_neighbours[e];
  }
  for (const GraceStep &s : q.steps) out.push_back(step(s, out, e, told));
  return out;
}

inline std::vector<double> normalised(const std::vector<double> &norm, std::vector<double> rho)
{
  const size_t n = norm.size(), first = rho.size() - n;
  double sum = 0.0;
  for (size_t k = 0; k < n; k++) sum += rho[first + k] * rho[first + k];
  for (size_t k = 0; k < n; k++) rho[first + k] *= norm[k] / std::sqrt(sum / double(n) + 1e-10);
  return rho;
}

inline double read_out(const GraceModel &m, const std::vector<double> &rho, int element)
{
  double out = rho[0];
  for (int k = 0; k < m.energy_hidden; k++) {
    double z = 0.0;
    for (int o = 1; o < m.density; o++) z += rho[o] * m.energy_in[(o - 1) * m.energy_hidden + k];
    out +=
        m.energy_out[k] * (m.activation == GraceModel::Activation::Tanh ? std::tanh(z) : silu(z));
  }
  return m.scale * out + m.shift[element];
}

// Energy of atom i; of a two-layer model, neighbour_row of a bond is another atom of b.
inline double energy(const GraceModel &m, const GraceBonds &b, int i)
{
  const auto none = [](int) { return TensorOf(); };
  const auto first = tensors(m, 0, b, i, none);
  std::vector<double> rho = normalised(m.layers[0].norm, first[m.layers[0].density][0]);
  if (m.layers.size() > 1) {
    const auto tell = [&](int bond) {
      return tensors(m, 0, b, b.neighbour_row[bond], none)[m.message];
    };
    const GraceLayer &q = m.layers[1];
    const auto more = normalised(q.norm, tensors(m, 1, b, i, tell)[q.density][0]);
    for (size_t k = 0; k < rho.size(); k++) rho[k] += more[k];
  }
  return read_out(m, rho, b.element[i]);
}

}    // namespace synthetic

#endif
