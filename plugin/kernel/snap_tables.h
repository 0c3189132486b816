// Constant tables of the bispectrum for one twojmax and one vector width.

#ifndef SMAX_SNAP_TABLES_H
#define SMAX_SNAP_TABLES_H

#include "snap_kernel.h"

#include <vector>

namespace smax {
namespace snap {

// Clebsch-Gordan coefficient <j1 m1 j2 m2 | j m1+m2> with SNAP's integers: j is twice the spin, m
// counts from 0 to j. Zero where m is out of range.
double clebsch_gordan(int j1, int m1, int j2, int m2, int j);

// The unique elements of u_j, in order: rows mb below the middle, and the middle row up to its
// diagonal. The others follow from u[j-mb][j-ma] = (-1)^(ma-mb) conj(u[mb][ma]).
inline bool is_unique(int j, int mb, int ma)
{
  return 2 * mb < j || (2 * mb == j && ma <= mb);
}

// Triple (j1 >= j2, j): Y_j gets factor * beta[component] * Z.
struct Triple {
  int j1, j2, j;
  int component;
  double factor;
};

class TableStore {
 public:
  TableStore(int twojmax, int width, int max_out);
  TableStore(const TableStore &) = delete;
  TableStore &operator=(const TableStore &) = delete;

  Tables view;                   // points into the vectors below
  std::vector<Triple> triple;    // in the order of the blocks
  double bytes() const;

 private:
  void build_recursions();
  void build_blocks();
  void build_elements();
  void build_expansion();
  void build_groups(int width, int max_out);

  int J;
  std::vector<double> kradial, kangular, weight, coef;
  std::vector<uint8_t> diagonal;
  std::vector<Block> block;
  std::vector<Group> group;
  std::vector<uint16_t> pair;
  std::vector<int> expand_index, gather_index;    // start, then col
  std::vector<double> expand_value, gather_value;
};

}    // namespace snap
}    // namespace smax

#endif
