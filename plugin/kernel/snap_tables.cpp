#include "snap_tables.h"

#include <algorithm>
#include <cmath>

namespace smax {
namespace snap {

namespace {

// n! up to (j1 + j2 + j) / 2 + 1 of the expansion, where j2 reaches 2 MAX_J
long double factorial(int n)
{
  struct Table {
    long double f[2 * MAX_J + 2];
    Table()
    {
      f[0] = 1.0L;
      for (int i = 1; i < 2 * MAX_J + 2; i++) f[i] = f[i - 1] * i;
    }
  };
  static const Table table;
  return table.f[n];
}

int nunique(int j)
{
  return ((j + 1) * (j + 1) + 1) / 2;
}

// Component (j1, j2, j), j2 <= j1 <= j, in LAMMPS order.
int component_index(int twojmax, int k1, int k2, int k)
{
  int n = 0;
  for (int j1 = 0; j1 <= twojmax; j1++)
    for (int j2 = 0; j2 <= j1; j2++)
      for (int j = j1; j <= std::min(twojmax, j1 + j2); j++) {
        if ((j1 + j2 + j) % 2) continue;
        if (j1 == k1 && j2 == k2 && j == k) return n;
        n++;
      }
  return -1;
}

// The component whose gradient Z(j1, j2, j) gives, and its factor: every component is a product of
// three U, and each of the three is once the differentiated one.
Triple make_triple(int twojmax, int j1, int j2, int j)
{
  Triple t = {j1, j2, j, 0, 1.0};
  if (j >= j1) {
    t.component = component_index(twojmax, j1, j2, j);
    if (j == j1) t.factor = j == j2 ? 3.0 : 2.0;
    return t;
  }
  if (j >= j2) {
    t.component = component_index(twojmax, j, j2, j1);
    if (j == j2) t.factor = 2.0;
  } else
    t.component = component_index(twojmax, j2, j, j1);
  t.factor *= (j1 + 1.0) / (j + 1.0);
  return t;
}

}    // namespace

double clebsch_gordan(int j1, int m1, int j2, int m2, int j)
{
  const int m = m1 + m2 - (j1 + j2 - j) / 2;
  if (m < 0 || m > j) return 0.0;
  const int k = (j1 + j2 - j) / 2;
  const int p = (j - j2 + 2 * m1 - j1) / 2, q = (j - j1 - 2 * m2 + j2) / 2;
  long double sum = 0.0L;
  for (int z = std::max({0, -p, -q}); z <= std::min({k, j1 - m1, m2}); z++)
    sum += (z % 2 ? -1.0L : 1.0L) / (factorial(z) * factorial(k - z) * factorial(j1 - m1 - z) *
                                     factorial(m2 - z) * factorial(p + z) * factorial(q + z));
  const long double triangle = factorial(k) * factorial((j1 - j2 + j) / 2) *
                               factorial((j2 - j1 + j) / 2) / factorial((j1 + j2 + j) / 2 + 1);
  const long double norm = factorial(m1) * factorial(j1 - m1) * factorial(m2) * factorial(j2 - m2) *
                           factorial(m) * factorial(j - m) * (j + 1);
  return double(sum * std::sqrt(triangle * norm));
}

TableStore::TableStore(int twojmax, int width, int max_out) : view(), J(twojmax)
{
  view.twojmax = J;
  build_recursions();
  build_blocks();
  build_elements();
  view.weight = weight.data();
  view.diagonal = diagonal.data();
  view.block = block.data();
  build_expansion();
  build_groups(width, max_out);
  view.kradial = kradial.data();
  view.kangular = kangular.data();
  view.group = group.data();
  view.pair = pair.data();
  view.coef = coef.data();
  view.ntriple = triple.size();
}

// Monic Gegenbauer polynomials: p_n+1 = x p_n - k_n p_n-1; k_0 is never used.
void TableStore::build_recursions()
{
  for (int l = 0; l <= J; l++)
    for (int j = l; j <= J; j++) {
      kradial.push_back(j > l ? (j - l) * (j + l + 1.0) / (4.0 * j * (j + 1.0)) : 0.0);
      kangular.push_back(j > l ? (j * j - l * l) / (4.0 * j * j - 1.0) : 0.0);
    }
}

void TableStore::build_blocks()
{
  int element = 0, z = 0;
  for (int j = 0; j <= J; j++) {
    Block b = {};
    b.element = element;
    b.nelement = nunique(j);
    b.triple = triple.size();
    b.z = z;
    for (int j1 = 0; j1 <= J; j1++)
      for (int j2 = 0; j2 <= j1; j2++) {
        if ((j1 + j2 + j) % 2 || j < j1 - j2 || j > j1 + j2) continue;
        triple.push_back(make_triple(J, j1, j2, j));
        if (j >= j1) b.nbs++;
      }
    b.ntriple = triple.size() - b.triple;    // j1 rises, so those with j >= j1 come first
    element += b.nelement;
    z += b.nelement * b.ntriple;
    block.push_back(b);
  }
  view.nelement = element;
  view.nz = z;
}

void TableStore::build_elements()
{
  for (int j = 0; j <= J; j++)
    for (int mb = 0; 2 * mb <= j; mb++)
      for (int ma = 0; ma <= j; ma++)
        if (is_unique(j, mb, ma)) {
          weight.push_back(2 * mb == j && ma == mb ? 1.0 : 2.0);
          diagonal.push_back(ma == mb);
        }
}

double TableStore::bytes() const
{
  return sizeof(double) * (kradial.size() + kangular.size() + weight.size() + coef.size() +
                           expand_value.size() + gather_value.size()) +
         sizeof(int) * (expand_index.size() + gather_index.size()) +
         sizeof(uint16_t) * pair.size() + sizeof(Group) * group.size() +
         sizeof(Triple) * triple.size() + diagonal.size() + sizeof(Block) * block.size();
}

}    // namespace snap
}    // namespace smax
