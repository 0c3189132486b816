// Wigner functions in hyperspherical harmonics (Varshalovich et al., Quantum Theory of Angular
// Momentum, 4.14-4.15), with j twice the spin, m' = ma - mb:
//
//   u_j[mb][ma] = sum_l (-i)^l (2l+1)/(j+1) chi_jl(theta0) <j mb, 2l m' | j ma> C*_lm'(n)
//   chi_jl = (2l)!! sqrt((j+1) (j-l)! / (j+l+1)!) sin^l G_j-l^(l+1)(cos),   C_lm = racah norm
//
// expand holds it for the monic polynomials of snap_pairs.h; gather is its weighted transpose.

#include "snap_tables.h"

#include <cmath>

namespace smax {
namespace snap {

namespace {

double factorial(int n)
{
  return std::tgamma(n + 1.0);
}

// u_j[mb][ma] = sum_l (-i)^l amplitude R_jl Q_lm (C_m -+ i S_m), m = |ma - mb|
double amplitude(int j, int l, int mb, int ma)
{
  const int mu = ma - mb, m = std::abs(mu);
  const double chi = std::pow(2.0, l) * factorial(l) *
                     std::sqrt((j + 1.0) * factorial(j - l) / factorial(j + l + 1));
  const double lead_radial =
      std::pow(2.0, j - l) * factorial(j) / (factorial(l) * factorial(j - l));
  const double racah = std::sqrt(factorial(l - m) / factorial(l + m));
  const double lead_angular =
      factorial(2 * l) / (std::pow(2.0, l) * factorial(l) * factorial(l - m));
  const double sign = mu > 0 && mu % 2 ? -1.0 : 1.0;
  return sign * (2.0 * l + 1.0) / (j + 1.0) * chi * lead_radial * racah * lead_angular *
         clebsch_gordan(j, mb, 2 * l, mu + l, j);
}

// First moment of (j, l, m): l, then rows m = 0, C_1, S_1, ..., then j.
int moment_index(int twojmax, int j, int l, int row)
{
  int k = 0;
  for (int i = 0; i < l; i++) k += (2 * i + 1) * (twojmax - i + 1);
  return k + row * (twojmax - l + 1) + j - l;
}

struct Entry {
  int row, col;
  double value;
};

Sparse compress(const std::vector<Entry> &entry, int nrow, std::vector<int> &index,
                std::vector<double> &value)
{
  index.assign(nrow + 1 + entry.size(), 0);
  value.resize(entry.size());
  for (const Entry &e : entry) index[e.row + 1]++;
  for (int r = 0; r < nrow; r++) index[r + 1] += index[r];
  std::vector<int> next(index.begin(), index.begin() + nrow);
  for (const Entry &e : entry) {
    const int k = next[e.row]++;
    index[nrow + 1 + k] = e.col;
    value[k] = e.value;
  }
  return {nrow, index.data(), index.data() + nrow + 1, value.data()};
}

void expand_element(int twojmax, int j, int mb, int ma, int element, std::vector<Entry> &entry)
{
  const int mu = ma - mb, m = std::abs(mu);
  for (int l = m; l <= j; l++) {
    const double a = amplitude(j, l, mb, ma);
    if (a == 0.0) continue;
    // (-i)^l (C - i d S): the sign of C, in the real part at even l, in the imaginary at odd l
    const double sign = l % 4 == 0 || l % 4 == 3 ? 1.0 : -1.0;
    const int c = moment_index(twojmax, j, l, m == 0 ? 0 : 2 * m - 1);
    const int re = 2 * element, im = re + 1;
    const double d = mu > 0 ? 1.0 : -1.0;
    if (l % 2 == 0) {
      entry.push_back({re, c, sign * a});
      if (m > 0) entry.push_back({im, c + twojmax - l + 1, -sign * d * a});
    } else {
      entry.push_back({im, c, sign * a});
      if (m > 0) entry.push_back({re, c + twojmax - l + 1, sign * d * a});
    }
  }
}

}    // namespace

void TableStore::build_expansion()
{
  std::vector<Entry> entry, transposed;
  int element = 0;
  for (int j = 0; j <= J; j++) {
    view.nbasis += (j + 1) * (j + 1);
    for (int mb = 0; 2 * mb <= j; mb++)
      for (int ma = 0; ma <= j; ma++)
        if (is_unique(j, mb, ma)) expand_element(J, j, mb, ma, element++, entry);
  }
  for (const Entry &e : entry) transposed.push_back({e.col, e.row, e.value * weight[e.row / 2]});
  view.expand = compress(entry, 2 * view.nelement, expand_index, expand_value);
  view.gather = compress(transposed, view.nbasis, gather_index, gather_value);
}

}    // namespace snap
}    // namespace smax
