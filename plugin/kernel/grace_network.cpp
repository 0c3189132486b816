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
  Tensor &out = tensors[s.out];
  double *value = room(out.value, size(out, natoms));
  if (s.runs.empty()) {
    const Tensor &left = tensors[s.left], &right = tensors[s.right];
    kernel.bilinear(s.product.view(out, left, right), natoms * out.nch, left.value.data(),
                    right.value.data(), value, false, work.data());
    return;
  }
  int covered = 0;    // the runs of the left tensor come first and cover every function
  for (const Run &r : s.runs) {
    const Tensor &in = tensors[r.tensor];
    kernel.multiply(r.count * natoms, in.nch, out.nch,
                    in.value.data() + size_t(r.from) * natoms * in.nch, in.nch, r.weight.data(),
                    value + size_t(r.first) * natoms * out.nch, out.nch,
                    covered >= out.nfunc);
    covered += r.count;
  }
}

void Network::run_backward(const Step &s, int natoms)
{
  const Tensor &out = tensors[s.out];
  if (s.runs.empty()) {
    const int ncol = natoms * out.nch;
    Tensor &left = tensors[s.left], &right = tensors[s.right];
    kernel.bilinear(s.to_left.view(left, out, right), ncol, out.grad.data(), right.value.data(),
                    left.grad.data(), true, work.data());
    if (s.left != s.right)
      kernel.bilinear(s.to_right.view(right, out, left), ncol, out.grad.data(), left.value.data(),
                      right.grad.data(), true, work.data());
    return;
  }
  for (const Run &r : s.runs) {
    Tensor &in = tensors[r.tensor];
    kernel.multiply(r.count * natoms, out.nch, in.nch,
                    out.grad.data() + size_t(r.first) * natoms * out.nch, out.nch, r.back.data(),
                    in.grad.data() + size_t(r.from) * natoms * in.nch, in.nch, true);
  }
}

void Network::forward(const Batch &b, double *energy)
{
  const int n = b.natoms;
  for (const Step &s : steps) run_forward(s, n);
  double *density = room(rho, size_t(n) * nrho_pad);
  std::fill_n(density, size_t(n) * nrho_pad, 0.0);
  for (const Density &q : densities) {
    const Tensor &t = tensors[q.tensor];
    const size_t nf = q.function.size(), one = size_t(t.nch) * nrho_pad;
    by_element(b, [&](int element, int first, int count) {
      for (size_t f = 0; f < nf; f++)
        kernel.multiply(count, t.nch, nrho_pad,
                        t.value.data() + (size_t(q.function[f]) * n + first) * t.nch, t.nch,
                        q.weight.data() + (element * nf + f) * one, density + size_t(first) * nrho_pad,
                        nrho_pad, true);
    });
  }
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
  kernel.multiply(n, nhid, nrho_pad, slope.data(), nhid, energy_back.data(), g, nrho_pad,
                  false);
  for (int i = 0; i < n; i++) g[size_t(i) * nrho_pad] = scale;

  for (Tensor &t : tensors) std::fill_n(room(t.grad, size(t, n)), size(t, n), 0.0);
  for (const Density &q : densities) {
    Tensor &t = tensors[q.tensor];
    const size_t nf = q.function.size(), one = size_t(t.nch) * nrho;
    by_element(b, [&](int element, int first, int count) {
      for (size_t f = 0; f < nf; f++)
        kernel.multiply(count, nrho, t.nch, g + size_t(first) * nrho_pad, nrho_pad,
                        q.back.data() + (element * nf + f) * one,
                        t.grad.data() + (size_t(q.function[f]) * n + first) * t.nch, t.nch, true);
    });
  }
  for (auto s = steps.rbegin(); s != steps.rend(); ++s) run_backward(*s, n);
}

double Network::memory_usage() const
{
  size_t n = 0;
  for (const Tensor &t : tensors) n += t.value.size() + t.grad.size();
  for (const Step &s : steps)
    for (const Run &r : s.runs) n += r.weight.size() + r.back.size();
  for (const Density &q : densities) n += q.weight.size() + q.back.size();
  return 8.0 * double(n);
}
