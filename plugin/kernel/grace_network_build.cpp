// A Network from a model: weights padded and transposed, equal terms joined.

#include "grace_network.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <tuple>

using namespace smax;
using namespace smax::grace;

constexpr size_t MOST_WEIGHTS = size_t(1) << 28;    // of all connections

Network::Network(const GraceModel &m, size_t layer, const Kernel &kernel) :
    kernel(kernel), density(m.layers[layer].density), told(layer == 0 ? m.message : 0),
    hears(m.message_functions())
{
  const GraceLayer &l = m.layers[layer];
  tensors.emplace_back(m.basis_functions(layer), l.channels);
  for (const GraceStep &s : l.steps) {
    const int out = int(tensors.size());
    tensors.emplace_back(s.nout, s.channels);
    Step step{};
    step.outs = {out};
    step.left = s.left;
    step.right = s.right;
    switch (s.kind) {
      case GraceStep::Kind::Connect:
        add_connection(s, step);
        break;
      case GraceStep::Kind::Product:
        add_product(s, step);
        break;
      case GraceStep::Kind::Couple:
        add_coupling(s, step);
        break;
      case GraceStep::Kind::Collect:
        for (const GraceSource &q : s.sources) add_collection(s, q, out);
        continue;
    }
    join(std::move(step));
  }
  int most = 0;
  for (const Tensor &t : tensors) most = std::max(most, t.nfunc);
  room(work, size_t(2) * most * 4 * kernel.width);
  plan_backward();
  plan_forward();
}

/* ---------------------------------------------------------------------- */

Network::Run Network::make_run(const GraceStep &s, int out, int in, int nelement)
{
  const size_t into = size_t(tensors[in].used) * tensors[out].nch;
  const size_t back = size_t(tensors[out].used) * tensors[in].nch;
  weights += nelement * (into + back);
  if (weights > MOST_WEIGHTS)
    throw std::runtime_error(s.name + " makes the weights of the model too large");
  Run r{};
  r.out = out;
  r.in = in;
  r.by_element = nelement > 1;
  r.weight.assign(nelement * into, 0.0);
  r.back.assign(nelement * back, 0.0);
  return r;
}

// w[n_in][n_out]
void Network::add_weight(Run &r, int element, const double *w) const
{
  const Tensor &in = tensors[r.in], &out = tensors[r.out];
  double *into = r.weight.data() + size_t(element) * in.used * out.nch;
  double *back = r.back.data() + size_t(element) * out.used * in.nch;
  for (int n = 0; n < in.used; n++)
    for (int k = 0; k < out.used; k++) {
      into[size_t(n) * out.nch + k] += *w;
      back[size_t(k) * in.nch + n] += *w++;
    }
}

void Network::pack_run(Run &r) const
{
  const Tensor &in = tensors[r.in], &out = tensors[r.out];
  const size_t into = size_t(in.used) * out.nch, back = size_t(out.used) * in.nch;
  for (size_t at = 0; at < r.weight.size(); at += into)
    pack_in_place(r.weight, at, in.used, out.nch, kernel.width);
  for (size_t at = 0; at < r.back.size(); at += back)
    pack_in_place(r.back, at, out.used, in.nch, kernel.width);
}

// A run equal to an earlier one (as where a tensor is connected with itself) is added to it.
void Network::add_run(Step &step, const GraceStep &s, bool right, int first, int from, int count,
                      int w)
{
  const int tensor = right ? s.right : s.left;
  const std::vector<double> &all = right ? s.right_weight : s.left_weight;
  Run *run = nullptr;
  for (Run &r : step.runs)
    if (r.in == tensor && r.first == first && r.from == from && r.count == count) run = &r;
  if (!run) {
    step.runs.push_back(make_run(s, step.outs[0], tensor, 1));
    run = &step.runs.back();
    run->first = first;
    run->from = from;
    run->count = count;
    run->add = right;
  }
  add_weight(*run, 0, all.data() + size_t(w) * tensors[tensor].used * s.channels);
}

void Network::add_connection(const GraceStep &s, Step &step)
{
  for (int f = 0; f < s.nout;) {
    int end = f + 1;
    while (end < s.nout && s.group[end] == s.group[f]) end++;
    add_run(step, s, false, f, f, end - f, s.group[f]);
    f = end;
  }
  const int nterm = int(s.to.size());
  for (int t = 0; t < nterm;) {
    int end = t + 1;
    while (end < nterm && s.pair[end] == s.pair[t] && s.to[end] == s.to[t] + end - t &&
           s.from[end] == s.from[t] + end - t && s.group[s.to[end]] == s.group[s.to[t]])
      end++;
    add_run(step, s, true, s.to[t], s.from[t], end - t, s.pair[t]);
    t = end;
  }
  for (Run &r : step.runs) pack_run(r);
}

void Network::add_collection(const GraceStep &s, const GraceSource &q, int out)
{
  Step step{};
  step.kind = Step::Kind::Collect;
  step.outs = {out};
  step.left = step.right = q.tensor;
  const size_t one = size_t(tensors[q.tensor].used) * s.channels;
  const size_t of_element = q.weight.size() / q.elements;
  const int nterm = int(q.to.size());
  for (int t = 0; t < nterm;) {
    int end = t + 1;
    while (end < nterm && q.pair[end] == q.pair[t] && q.to[end] == q.to[t] + end - t &&
           q.from[end] == q.from[t] + end - t)
      end++;
    Run r = make_run(s, out, q.tensor, q.elements);
    r.first = q.to[t];
    r.from = q.from[t];
    r.count = end - t;
    r.add = true;
    for (int e = 0; e < q.elements; e++)
      add_weight(r, e, q.weight.data() + e * of_element + q.pair[t] * one);
    pack_run(r);
    step.runs.push_back(std::move(r));
    t = end;
  }
  place(std::move(step));
}

/* ---------------------------------------------------------------------- */

namespace {

// Terms by output, then factors: sorted, equal ones summed.
using Terms = std::map<std::tuple<int, int, int>, double>;

template <class Table> Table table_of(const Terms &terms, int nout)
{
  Table t;
  t.start.assign(nout + 1, 0);
  for (const auto &[key, coef] : terms) {
    if (coef == 0.0) continue;
    t.start[std::get<0>(key) + 1]++;
    t.left.push_back(std::get<1>(key));
    t.right.push_back(std::get<2>(key));
    t.coef.push_back(coef);
  }
  for (int i = 0; i < nout; i++) t.start[i + 1] += t.start[i];
  return t;
}

}    // namespace

void Network::add_product(const GraceStep &s, Step &step)
{
  step.kind = Step::Kind::Product;
  const bool same = s.left == s.right;
  Terms product, to_left, to_right;
  for (size_t i = 0; i < s.coef.size(); i++) {
    const int f = s.target[i];
    int a = s.a[i], b = s.b[i];
    if (same && a > b) std::swap(a, b);
    product[{f, a, b}] += s.coef[i];
  }
  for (const auto &[key, coef] : product) {
    const auto [f, a, b] = key;
    to_left[{a, f, b}] += coef;
    (same ? to_left : to_right)[{b, f, a}] += coef;
  }
  step.product = table_of<SparseTable>(product, s.nout);
  step.to_left = table_of<SparseTable>(to_left, tensors[s.left].nfunc);
  step.to_right = table_of<SparseTable>(to_right, tensors[s.right].nfunc);
}

// The second layer's basis has the `hears` functions of a neighbour and the indicator for each
// harmonic.
void Network::add_coupling(const GraceStep &s, Step &step)
{
  step.kind = Step::Kind::Couple;
  step.left = step.right = 0;
  Terms forward, back;
  for (size_t i = 0; i < s.coef.size(); i++) {
    const int in = s.a[i] * (hears + 1) + s.b[i];
    forward[{s.target[i], in, 0}] += s.coef[i];
    back[{in, s.target[i], 0}] += s.coef[i];
  }
  step.product = table_of<SparseTable>(forward, s.nout);
  step.to_left = table_of<SparseTable>(back, tensors[0].nfunc);
}
