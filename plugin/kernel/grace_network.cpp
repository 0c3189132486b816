#include "grace_network.h"

#include <algorithm>

using namespace smax;
using namespace smax::grace;

Bilinear Network::SparseTable::view(const Tensor &out, const Tensor &p, const Tensor &q) const
{
  return {out.nfunc, p.nfunc, q.nfunc, start.data(), left.data(), right.data(), coef.data()};
}

// f(element, function, atom, rows): rows of the run's functions that lie side by side and share a
// weight. Atoms of one element are side by side in a batch.
template <class F> void Network::by_element(const Run &r, const Batch &b, F &&f) const
{
  if (!r.by_element || b.element.front() == b.element.back()) {
    f(r.by_element ? b.element[0] : 0, 0, 0, r.count * b.natoms);
    return;
  }
  for (int i = 0; i < b.natoms;) {
    int end = i;
    while (end < b.natoms && b.element[end] == b.element[i]) end++;
    for (int k = 0; k < r.count; k++) f(b.element[i], k, i, end - i);
    i = end;
  }
}

void Network::run_forward(const Step &s, const Batch &b)
{
  const int natoms = b.natoms;
  for (int t : s.clear) {
    double *v = room(tensors[t].value, size(tensors[t], natoms));
    std::fill_n(v, size(tensors[t], natoms), 0.0);
  }
  if (s.kind == Step::Kind::Product || s.kind == Step::Kind::Couple) {
    Tensor &out = tensors[s.outs[0]];
    const Tensor &left = tensors[s.left], &right = tensors[s.right];
    double *to = room(out.value, size(out, natoms));
    if (s.kind == Step::Kind::Couple)
      kernel.linear(s.product.view(out, left, left), natoms * out.nch, left.value.data(), to,
                    false);
    else
      kernel.bilinear(s.product.view(out, left, right), natoms * out.nch, left.value.data(),
                      right.value.data(), to, false, work.data());
    return;
  }
  for (const Run &r : s.runs) {
    Tensor &out = tensors[r.out];
    const Tensor &in = tensors[r.in];
    double *to = room(out.value, size(out, natoms));
    const size_t one = size_t(in.used) * out.nch;
    by_element(r, b, [&](int element, int k, int atom, int rows) {
      kernel.multiply(rows, in.used, out.nch,
                      in.value.data() + (size_t(r.from + k) * natoms + atom) * in.nch, in.nch,
                      r.weight.data() + element * one,
                      to + (size_t(r.first + k) * natoms + atom) * out.nch, out.nch, r.add);
    });
  }
}

// The left gradient may replace the left value, as the kernel works on copies of columns: it is
// the last to be written.
void Network::multiply_back(const Step &s, int natoms)
{
  const Tensor &out = tensors[s.outs[0]];
  Tensor &left = tensors[s.left], &right = tensors[s.right];
  const int ncol = natoms * out.nch;
  if (s.kind == Step::Kind::Couple) {
    kernel.linear(s.to_left.view(left, out, out), ncol, out.grad().data(), gradient(left, natoms),
                  s.add_left);
    return;
  }
  if (s.left != s.right)
    kernel.bilinear(s.to_right.view(right, out, left), ncol, out.grad().data(), left.value.data(),
                    gradient(right, natoms), s.add_right, work.data());
  kernel.bilinear(s.to_left.view(left, out, right), ncol, out.grad().data(), right.value.data(),
                  gradient(left, natoms), s.add_left, work.data());
}

void Network::run_backward(const Step &s, const Batch &b)
{
  const int natoms = b.natoms;
  for (int t : s.zero) std::fill_n(gradient(tensors[t], natoms), size(tensors[t], natoms), 0.0);
  if (s.runs.empty()) multiply_back(s, natoms);
  for (const Run &r : s.runs) {
    const Tensor &out = tensors[r.out];
    Tensor &in = tensors[r.in];
    double *to = gradient(in, natoms);
    const size_t one = size_t(out.used) * in.nch;
    by_element(r, b, [&](int element, int k, int atom, int rows) {
      kernel.multiply(rows, out.used, in.nch,
                      out.grad().data() + (size_t(r.first + k) * natoms + atom) * out.nch, out.nch,
                      r.back.data() + element * one,
                      to + (size_t(r.from + k) * natoms + atom) * in.nch, in.nch, r.add_back);
    });
  }
}

void Network::forward(const Batch &b)
{
  for (const Step &s : steps) run_forward(s, b);
}

void Network::forward_for_backward(const Batch &b)
{
  for (const Step &s : steps)
    if (s.needed) run_forward(s, b);
}

void Network::backward(const Batch &b)
{
  for (auto s = steps.rbegin(); s != steps.rend(); ++s) run_backward(*s, b);
}

double Network::memory_usage() const
{
  size_t n = 0;
  for (const Tensor &t : tensors) n += t.value.size() + t.own_grad.size();
  for (const Step &s : steps)
    for (const Run &r : s.runs) n += r.weight.size() + r.back.size();
  return 8.0 * double(n);
}
