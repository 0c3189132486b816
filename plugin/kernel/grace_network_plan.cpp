// The order of the steps of a Network, and which of them begin a gradient or are needed for one.

#include "grace_network.h"

#include <algorithm>
#include <iterator>

using namespace smax;
using namespace smax::grace;

// Connections of the same two tensors share one pass over them.
void Network::join(Step &&step)
{
  for (Step &s : steps) {
    if (s.kind != Step::Kind::Connect || step.kind != s.kind || s.left != step.left ||
        s.right != step.right)
      continue;
    s.outs.push_back(step.outs[0]);
    std::move(step.runs.begin(), step.runs.end(), std::back_inserter(s.runs));
    std::stable_sort(s.runs.begin(), s.runs.end(),
                     [](const Run &a, const Run &b) { return a.first < b.first; });
    return;
  }
  steps.push_back(std::move(step));
}

// A collection adds a tensor as soon as that is made: then it is still in the cache, and so is its
// gradient on the way back.
void Network::place(Step &&step)
{
  size_t at = 0;
  for (size_t i = 0; i < steps.size(); i++) {
    const std::vector<int> &outs = steps[i].outs;
    if (std::find(outs.begin(), outs.end(), step.left) != outs.end()) at = i + 1;
  }
  steps.insert(steps.begin() + long(at), std::move(step));
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
    if (s.kind != Step::Kind::Product) continue;
    products += s.left == tensor ? 1 : 2;
    last_product = i;
  }
  const bool given =
      tensor == density || (told && tensor == told);    // its gradient comes from outside
  return products == 0 || (!given && products == 1 && last_use == last_product);
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
  std::vector<char> begun(tensors.size(), 0), cleared(tensors.size(), 0);
  for (Step &s : steps) {
    if (s.kind != Step::Kind::Collect || cleared[s.outs[0]]) continue;
    s.clear = {s.outs[0]};
    cleared[s.outs[0]] = 1;
  }
  begun[density] = 1;
  if (told) begun[told] = 1;
  for (size_t t = 0; t < tensors.size(); t++) tensors[t].kept = !in_place(int(t));
  for (auto s = steps.rbegin(); s != steps.rend(); ++s) {
    for (int out : s->outs)
      if (!begun[out]) {    // of no use to anyone
        s->zero.push_back(out);
        begun[out] = 1;
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
}

// The gradient of a product asks for its factors, and so for all that they are made of.
void Network::plan_forward()
{
  std::vector<char> wanted(tensors.size(), 0);
  for (const Step &s : steps)
    if (s.kind == Step::Kind::Product) wanted[s.left] = wanted[s.right] = 1;
  for (auto s = steps.rbegin(); s != steps.rend(); ++s) {
    for (int out : s->outs) s->needed = s->needed || wanted[out];
    if (s->needed) wanted[s->left] = wanted[s->right] = 1;
  }
}
