// A Network from a model: weights padded and transposed, equal terms joined.

#include "grace_network.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <stdexcept>
#include <tuple>

using namespace smax;
using namespace smax::grace;

constexpr size_t MOST_WEIGHTS = size_t(1) << 28;    // of all connections

Network::Network(const GraceModel &m, const Kernel &kernel) :
    kernel(kernel), nrho(m.density), nrho_pad(padded(m.density)), nhid(padded(m.energy_hidden)),
    scale(m.scale), shift(m.shift)
{
  used = {m.channels};
  tensors.emplace_back((m.lmax + 1) * (m.lmax + 1), m.channels);
  for (const GraceStep &s : m.steps) {
    Step step{};
    step.outs = {int(tensors.size())};
    step.left = s.left;
    step.right = s.right;
    used.push_back(s.channels);
    tensors.emplace_back(s.nout, s.channels);
    if (s.kind == GraceStep::Kind::Product)
      add_product(s, step);
    else
      add_connection(s, step);
    join(std::move(step));
  }
  int most = 0;
  for (const Tensor &t : tensors) most = std::max(most, t.nfunc);
  room(work, size_t(2) * most * 4 * kernel.width);
  for (const GraceReduce &r : m.reduce) add_density(m, r);
  add_readout(m);
  plan_backward();
}

/* ---------------------------------------------------------------------- */

// Connections of the same two tensors share one pass over them.
void Network::join(Step &&step)
{
  for (Step &s : steps) {
    if (s.runs.empty() || step.runs.empty() || s.left != step.left || s.right != step.right)
      continue;
    s.outs.push_back(step.outs[0]);
    std::move(step.runs.begin(), step.runs.end(), std::back_inserter(s.runs));
    std::stable_sort(s.runs.begin(), s.runs.end(),
                     [](const Run &a, const Run &b) { return a.first < b.first; });
    return;
  }
  steps.push_back(std::move(step));
}

// May the gradient overwrite the value? It is begun after the last product that needs it: if there
// is but one, in which it stands left, and no later step uses it.
bool Network::in_place(int tensor) const
{
  int products = 0, last_product = -1, last_use = -1;
  for (int i = 0; i < int(steps.size()); i++) {
    const Step &s = steps[i];
    if (s.left != tensor && s.right != tensor) continue;
    last_use = i;
    if (!s.runs.empty()) continue;
    products += s.left == tensor ? 1 : 2;
    last_product = i;
  }
  return products == 0 || (products == 1 && last_use == last_product);
}

// Does the first output reach each function of the left tensor before the others do?
bool Network::first_comes_first(const Step &s) const
{
  std::vector<char> reached(tensors[s.left].nfunc, 0);
  for (const Run &r : s.runs) {
    if (r.in != s.left) continue;
    for (int f = r.from; f < r.from + r.count; f++) {
      if (r.out != s.outs[0] && !reached[f]) return false;
      reached[f] = 1;
    }
  }
  return true;
}

// Which terms are the first of a gradient: they need not add, or it is zeroed before.
void Network::plan_backward()
{
  std::vector<char> begun(tensors.size(), 0);
  const auto begin_density = [&](int tensor) {
    for (Density &q : densities) {
      if (q.tensor != tensor) continue;
      q.zero = !begun[tensor];
      begun[tensor] = 1;
    }
  };
  for (size_t t = 0; t < tensors.size(); t++) tensors[t].kept = !in_place(int(t));
  for (auto s = steps.rbegin(); s != steps.rend(); ++s) {
    for (int out : s->outs) {
      begin_density(out);
      if (!begun[out]) s->zero.push_back(out);    // of no use to anyone
    }
    if (s->runs.empty()) {
      s->add_left = begun[s->left];
      s->add_right = begun[s->right];
    } else {
      // runs of the first output that come from the left cover all its functions once
      const bool covers = s->left != s->right && !begun[s->left] && first_comes_first(*s);
      for (Run &r : s->runs) r.add_back = !(covers && r.in == s->left && r.out == s->outs[0]);
      for (int in : {s->left, s->right})
        if (!begun[in] && !(covers && in == s->left)) {
          s->zero.push_back(in);
          begun[in] = 1;
        }
    }
    begun[s->left] = begun[s->right] = 1;
  }
  begin_density(0);
}

/* ---------------------------------------------------------------------- */

// A run equal to an earlier one (as where a tensor is connected with itself) is added to it.
void Network::add_run(Step &step, const GraceStep &s, bool right, int first, int from, int count,
                      int w)
{
  const int tensor = right ? s.right : s.left;
  const int nin_pad = tensors[tensor].nch, nout = s.channels, nout_pad = padded(nout);
  const std::vector<double> &all = right ? s.right_weight : s.left_weight;
  const int nin = used[tensor];

  Run *run = nullptr;
  for (Run &r : step.runs)
    if (r.in == tensor && r.first == first && r.from == from && r.count == count) run = &r;
  if (!run) {
    weights += size_t(2) * nin_pad * nout_pad;
    if (weights > MOST_WEIGHTS)
      throw std::runtime_error(s.name + " makes the weights of the model too large");
    step.runs.push_back({step.outs[0], tensor, first, from, count, right, true, {}, {}});
    run = &step.runs.back();
    run->weight.assign(size_t(nin_pad) * nout_pad, 0.0);
    run->back = run->weight;
  }
  const double *from_weight = all.data() + size_t(w) * nin * nout;
  for (int n = 0; n < nin; n++)
    for (int k = 0; k < nout; k++) {
      run->weight[size_t(n) * nout_pad + k] += from_weight[size_t(n) * nout + k];
      run->back[size_t(k) * nin_pad + n] += from_weight[size_t(n) * nout + k];
    }
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
  for (Run &r : step.runs) {
    const int nin = tensors[r.in].nch, nout = padded(s.channels);
    pack_in_place(r.weight, 0, nin, nout, kernel.width);
    pack_in_place(r.back, 0, nout, nin, kernel.width);
  }
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

/* ---------------------------------------------------------------------- */

void Network::add_density(const GraceModel &m, const GraceReduce &r)
{
  const size_t nf = r.function.size(), ne = m.elements.size();
  const int nch = tensors[r.tensor].nch;
  Density q{r.tensor, false, r.function, {}, {}};
  q.weight.assign(ne * nf * nch * nrho_pad, 0.0);
  q.back.assign(ne * nf * nrho * nch, 0.0);
  for (size_t ef = 0; ef < ne * nf; ef++)
    for (int n = 0; n < used[r.tensor]; n++)
      for (int o = 0; o < nrho; o++) {
        const double w = r.weight[(ef * used[r.tensor] + n) * nrho + o];
        q.weight[(ef * nch + n) * nrho_pad + o] = w;
        q.back[(ef * nrho + o) * nch + n] = w;
      }
  for (size_t ef = 0; ef < ne * nf; ef++) {
    pack_in_place(q.weight, ef * nch * nrho_pad, nch, nrho_pad, kernel.width);
    pack_in_place(q.back, ef * nrho * nch, nrho, nch, kernel.width);
  }
  densities.push_back(std::move(q));
}

void Network::add_readout(const GraceModel &m)
{
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
