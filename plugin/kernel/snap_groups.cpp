// Products u_j1 u_j2 and the Z that they add to, grouped so that each product is formed once.

#include "snap_tables.h"

#include <algorithm>
#include <map>
#include <utility>

namespace smax {
namespace snap {

namespace {

// Where u_j[mb][ma] is kept: element of the unique list, conjugated or not, and its sign.
struct Place {
  int element;
  bool conj;
  double sign;
};

Place place(int first, int j, int mb, int ma)
{
  if (is_unique(j, mb, ma)) return {first + mb * (j + 1) + ma, false, 1.0};
  return {first + (j - mb) * (j + 1) + j - ma, true, (ma + mb) % 2 ? -1.0 : 1.0};
}

// Outputs of one (j1, j2, mb1 + mb2, ma1 + ma2) and their products, before splitting and sorting.

struct Product {
  int e1, e2;
  bool conj;
  std::vector<double> coef;    // one an output
};

bool is_plain(const Product &p)
{
  return !p.conj;
}

struct Bundle {
  std::vector<uint32_t> out;    // complex index into Z
  std::vector<Product> product;
};

Bundle slice(const Bundle &b, size_t first, size_t count)
{
  Bundle s;
  s.out.assign(b.out.begin() + first, b.out.begin() + first + count);
  for (const Product &p : b.product) {
    Product q = p;
    q.coef.assign(p.coef.begin() + first, p.coef.begin() + first + count);
    if (std::any_of(q.coef.begin(), q.coef.end(), [](double c) { return c != 0.0; }))
      s.product.push_back(q);
  }
  std::stable_partition(s.product.begin(), s.product.end(), is_plain);
  return s;
}

int count_plain(const Bundle &b)
{
  return std::count_if(b.product.begin(), b.product.end(), is_plain);
}

// cg[i][m1 * (j2 + 1) + m2]: coefficients of triple which[i].
Bundle make_bundle(const TableStore &store, const std::vector<int> &which,
                   const std::vector<std::vector<double>> &cg, int Mb, int Ma)
{
  const Triple &any = store.triple[which[0]];
  const int j1 = any.j1, j2 = any.j2;
  const int first1 = store.view.block[j1].element, first2 = store.view.block[j2].element;
  Bundle bundle;
  std::vector<const double *> table;
  for (size_t i = 0; i < which.size(); i++) {
    const int t = which[i], j = store.triple[t].j;
    const Block &b = store.view.block[j];
    const int shift = (j1 + j2 - j) / 2, mb = Mb - shift, ma = Ma - shift;
    if (mb < 0 || ma < 0 || ma > j) continue;
    table.push_back(cg[i].data());
    bundle.out.push_back(b.z + (mb * (j + 1) + ma) * b.ntriple + t - b.triple);
  }
  for (int mb1 = std::max(0, Mb - j2); mb1 <= std::min(j1, Mb); mb1++)
    for (int ma1 = std::max(0, Ma - j2); ma1 <= std::min(j1, Ma); ma1++) {
      const int mb2 = Mb - mb1, ma2 = Ma - ma1;
      double factor = 1.0;
      if (j1 == j2) {    // (1, 2) and (2, 1) are the same product
        if (mb1 > mb2 || (mb1 == mb2 && ma1 > ma2)) continue;
        if (mb1 != mb2 || ma1 != ma2) factor = 2.0;
      }
      const Place a = place(first1, j1, mb1, ma1), b = place(first2, j2, mb2, ma2);
      Product p = {a.element, b.element, a.conj || b.conj, {}};
      if (a.conj) std::swap(p.e1, p.e2);    // conj(a) b as b conj(a); never both
      for (const double *c : table)
        p.coef.push_back(factor * a.sign * b.sign * c[mb1 * (j2 + 1) + mb2] *
                         c[ma1 * (j2 + 1) + ma2]);
      bundle.product.push_back(p);
    }
  return bundle;
}

// Every bundle of the pair j1 >= j2 with triples `which`, split into parts of max_out outputs.
void add_bundles(const TableStore &store, const std::vector<int> &which, int max_out,
                 std::vector<Bundle> &all)
{
  const int j1 = store.triple[which[0]].j1, j2 = store.triple[which[0]].j2, top = j1 + j2;
  std::vector<std::vector<double>> cg;
  for (int t : which) {
    cg.emplace_back();
    for (int m1 = 0; m1 <= j1; m1++)
      for (int m2 = 0; m2 <= j2; m2++)
        cg.back().push_back(clebsch_gordan(j1, m1, j2, m2, store.triple[t].j));
  }
  for (int Mb = 0; 2 * Mb <= top; Mb++)
    for (int Ma = 0; Ma <= top && (2 * Mb < top || Ma <= Mb); Ma++) {
      const Bundle b = make_bundle(store, which, cg, Mb, Ma);
      const int n = b.out.size(), parts = (n + max_out - 1) / max_out;
      for (int i = 0; i < parts; i++)
        all.push_back(slice(b, n * i / parts, n * (i + 1) / parts - n * i / parts));
    }
}

}    // namespace

void TableStore::build_groups(int width, int max_out)
{
  std::map<std::pair<int, int>, std::vector<int>> same;
  for (size_t t = 0; t < triple.size(); t++) same[{triple[t].j1, triple[t].j2}].push_back(t);
  std::vector<Bundle> all;
  for (const auto &item : same) add_bundles(*this, item.second, max_out, all);

  // equal trip counts in a row keep the branch predictor right
  std::stable_sort(all.begin(), all.end(), [](const Bundle &a, const Bundle &b) {
    if (a.out.size() != b.out.size()) return a.out.size() < b.out.size();
    if (a.product.size() != b.product.size()) return a.product.size() < b.product.size();
    return count_plain(a) < count_plain(b);
  });
  for (const Bundle &b : all) {
    Group g = {};
    g.nout = b.out.size();
    g.nplain = count_plain(b);
    g.nconj = b.product.size() - g.nplain;
    for (int n = 0; n < g.nout; n++) g.out[n] = 2 * width * b.out[n];
    group.push_back(g);
    for (int n = g.nout + 1; n < MAX_OUT + 2; n++) view.group_start[n]++;
    for (const Product &p : b.product) {
      pair.push_back(2 * width * p.e1);
      pair.push_back(2 * width * p.e2);
      coef.insert(coef.end(), p.coef.begin(), p.coef.end());
    }
  }
}

}    // namespace snap
}    // namespace smax
