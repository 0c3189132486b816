#include "grace_network.h"

#include <algorithm>

using namespace smax;
using namespace smax::grace;

Bilinear Network::SparseTable::view(const Tensor &out, const Tensor &p, const Tensor &q) const
{
  return {out.nfunc, p.nfunc, q.nfunc, start.data(), left.data(), right.data(), coef.data()};
}

// Atoms first..first + count - 1 of a batch are of one element.
template <class F> void Network::by_element(const Batch &b, F &&f) const
{
  for (int i = 0; i < b.natoms;) {
    int end = i;
    while (end < b.natoms && b.element[end] == b.element[i]) end++;
    f(b.element[i], i, end - i);
    i = end;
  }
}

void Network::run_forward(const Step &s, int natoms)
{
  if (s.runs.empty()) {
    Tensor &out = tensors[s.outs[0]];
    const Tensor &left = tensors[s.left], &right = tensors[s.right];
    kernel.bilinear(s.product.view(out, left, right), natoms * out.nch, left.value.data(),
                    right.value.data(), room(out.value, size(out, natoms)), false, work.data());
    return;
  }
  for (const Run &r : s.runs) {
    Tensor &out = tensors[r.out];
    const Tensor &in = tensors[r.in];
    kernel.multiply(r.count * natoms, in.nch, out.nch,
                    in.value.data() + size_t(r.from) * natoms * in.nch, in.nch, r.weight.data(),
                    room(out.value, size(out, natoms)) + size_t(r.first) * natoms * out.nch,
                    out.nch, r.add);
  }
}

void Network::zero_gradient(int tensor, int natoms)
{
  Tensor &t = tensors[tensor];
  std::fill_n(room(t.grad(), size(t, natoms)), size(t, natoms), 0.0);
}

// The left gradient may replace the left value, as the kernel works on copies of columns: it is
// the last to be written.
void Network::multiply_back(const Step &s, int natoms)
{
  const Tensor &out = tensors[s.outs[0]];
  Tensor &left = tensors[s.left], &right = tensors[s.right];
  const int ncol = natoms * out.nch;
  if (s.left != s.right)
    kernel.bilinear(s.to_right.view(right, out, left), ncol, out.grad().data(), left.value.data(),
                    room(right.grad(), size(right, natoms)), s.add_right, work.data());
  kernel.bilinear(s.to_left.view(left, out, right), ncol, out.grad().data(), right.value.data(),
                  room(left.grad(), size(left, natoms)), s.add_left, work.data());
}

void Network::run_backward(const Step &s, int natoms)
{
  for (int t : s.zero) zero_gradient(t, natoms);
  if (s.runs.empty()) multiply_back(s, natoms);
  for (const Run &r : s.runs) {
    const Tensor &out = tensors[r.out];
    Tensor &in = tensors[r.in];
    kernel.multiply(r.count * natoms, out.nch, in.nch,
                    out.grad().data() + size_t(r.first) * natoms * out.nch, out.nch, r.back.data(),
                    room(in.grad(), size(in, natoms)) + size_t(r.from) * natoms * in.nch, in.nch,
                    r.add_back);
  }
}

void Network::sum_density(const Density &q, const Batch &b, double *density) const
{
  const Tensor &t = tensors[q.tensor];
  const size_t nf = q.function.size(), one = size_t(t.nch) * nrho_pad;
  by_element(b, [&](int element, int first, int count) {
    for (size_t f = 0; f < nf; f++)
      kernel.multiply(count, t.nch, nrho_pad,
                      t.value.data() + (size_t(q.function[f]) * b.natoms + first) * t.nch, t.nch,
                      q.weight.data() + (element * nf + f) * one,
                      density + size_t(first) * nrho_pad, nrho_pad, true);
  });
}

void Network::spread_density(const Density &q, const Batch &b)
{
  Tensor &t = tensors[q.tensor];
  const size_t nf = q.function.size(), one = size_t(t.nch) * nrho;
  if (q.zero) zero_gradient(q.tensor, b.natoms);
  double *g = t.grad().data();
  by_element(b, [&](int element, int first, int count) {
    for (size_t f = 0; f < nf; f++)
      kernel.multiply(count, nrho, t.nch, drho.data() + size_t(first) * nrho_pad, nrho_pad,
                      q.back.data() + (element * nf + f) * one,
                      g + (size_t(q.function[f]) * b.natoms + first) * t.nch, t.nch, true);
  });
}

void Network::forward(const Batch &b, double *energy)
{
  const int n = b.natoms;
  for (const Step &s : steps) run_forward(s, n);
  double *density = room(rho, size_t(n) * nrho_pad);
  std::fill_n(density, size_t(n) * nrho_pad, 0.0);
  for (const Density &q : densities) sum_density(q, b, density);
  double *h = room(hidden, size_t(n) * nhid), *slopes = room(slope, size_t(n) * nhid);
  kernel.multiply(n, nrho, nhid, density, nrho_pad, energy_in.data(), h, nhid, false);
  kernel.silu(n * nhid, h, slopes);
  for (int i = 0; i < n; i++) {
    double e = density[size_t(i) * nrho_pad];
    for (int k = 0; k < nhid; k++) e += energy_out[k] * h[size_t(i) * nhid + k];
    energy[i] = scale * e + shift[b.element[i]];
  }
}

void Network::backward(const Batch &b)
{
  const int n = b.natoms;
  double *g = room(drho, size_t(n) * nrho_pad);
  for (int i = 0; i < n; i++)
    for (int k = 0; k < nhid; k++) slope[size_t(i) * nhid + k] *= scale * energy_out[k];
  kernel.multiply(n, nhid, nrho_pad, slope.data(), nhid, energy_back.data(), g, nrho_pad, false);
  for (int i = 0; i < n; i++) g[size_t(i) * nrho_pad] = scale;

  for (auto s = steps.rbegin(); s != steps.rend(); ++s) {
    for (int out : s->outs)
      for (const Density &q : densities)
        if (q.tensor == out) spread_density(q, b);
    run_backward(*s, n);
  }
  for (const Density &q : densities)
    if (q.tensor == 0) spread_density(q, b);
}

double Network::memory_usage() const
{
  size_t n = 0;
  for (const Tensor &t : tensors) n += t.value.size() + t.own_grad.size();
  for (const Step &s : steps)
    for (const Run &r : s.runs) n += r.weight.size() + r.back.size();
  for (const Density &q : densities) n += q.weight.size() + q.back.size();
  return 8.0 * double(n);
}
