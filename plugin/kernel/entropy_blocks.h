// Small dense products behind EntropyObjective, written once with vector types and included by
// entropy.cpp once for each instruction set: no include guard. The includer defines EntropyOperands
// and
//   SMAX_BLOCKS  namespace,   SMAX_TARGET  function attribute,   SMAX_LANES  doubles in a vector
//   (2, 4).
//
// Matrices are row-major with row length ld, a multiple of 8 and at least n, zero beyond n, 64-byte
// aligned. Every sum has a fixed order: results repeat bit by bit on one instruction set.

namespace smax {
namespace SMAX_BLOCKS {

constexpr int W = SMAX_LANES;
constexpr int ROWS = 6;    // rows of a tile: 6 x 2 sums fill the registers

typedef double vec __attribute__((vector_size(8 * SMAX_LANES), may_alias));
typedef double uvec __attribute__((vector_size(8 * SMAX_LANES), may_alias, aligned(8)));

// (Loops over sums in registers are unrolled by pragma: -O2 would keep the sums in memory.)
//
// acc[r][c] = sum_{j0 <= j < j1} a[r * ra + j * ja] * t[j * ld + c W ...]
template <int R, int C>
SMAX_TARGET __attribute__((always_inline)) inline void tile(int j0, int j1, const double *a,
                                                            size_t ra, size_t ja, const double *t,
                                                            size_t ld, vec (&acc)[R][C])
{
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) acc[r][c] = vec{};
  for (int j = j0; j < j1; j++) {
    vec v[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) v[c] = *(const vec *) (t + j * ld + c * W);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      const double f = a[r * ra + j * ja];
#pragma GCC unroll 8
      for (int c = 0; c < C; c++) acc[r][c] += f * v[c];
    }
  }
}

// out = in T for R rows; T upper (nothing below the diagonal) or lower triangular.
template <int R, bool UPPER>
SMAX_TARGET void triangular(int n, size_t ld, const double *in, const double *t, double *out)
{
  for (int c = 0; c < n; c += 2 * W) {
    vec acc[R][2];
    const int end = c + 2 * W < n ? c + 2 * W : n;
    tile<R, 2>(UPPER ? 0 : c, UPPER ? end : n, in, ld, 1, t + c, ld, acc);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 8
      for (int k = 0; k < 2; k++) *(vec *) (out + r * ld + c + k * W) = acc[r][k];
  }
}

template <int R> SMAX_TARGET void whiten_rows(const EntropyOperands &op, double *in, double *out)
{
  triangular<R, true>(op.n, op.ld, in, op.to_white, out);
}

// One panel of a solve: v[k..] <- (v[k..] - sum_j v[j] t[j][k..]) inverse
template <int R>
SMAX_TARGET __attribute__((always_inline)) inline void
solve_panel(int j0, int j1, int k, const double *t, size_t ld, const double *inverse, double *v)
{
  constexpr int C = PANEL / W;
  vec acc[R][C];
  tile<R, C>(j0, j1, v, ld, 1, t + k, ld, acc);
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) *(vec *) (v + r * ld + k + c * W) -= acc[r][c];
  tile<R, C>(0, PANEL, v + k, ld, 1, inverse + k * PANEL, PANEL, acc);
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) *(vec *) (v + r * ld + k + c * W) = acc[r][c];
}

// out = v (1 + X)^-1 from_white with the factors left by factor(); v is overwritten.
template <int R> SMAX_TARGET void gradient_rows(const EntropyOperands &op, double *v, double *out)
{
  const int n = op.n;
  for (int k = 0; k < n; k += PANEL) solve_panel<R>(0, k, k, op.x, op.ld, op.diag_forward, v);
  for (int k = (n - 1) / PANEL * PANEL; k >= 0; k -= PANEL)
    solve_panel<R>(k + PANEL, n, k, op.lower, op.ld, op.diag_back, v);
  triangular<R, false>(n, op.ld, v, op.from_white, out);
}

// m rows in even groups of at most ROWS.
typedef void (*RowsFn)(const EntropyOperands &, double *, double *);
SMAX_TARGET void in_groups(const RowsFn *fn, const EntropyOperands &op, int m, double *in,
                           double *out)
{
  for (int left = (m + ROWS - 1) / ROWS, i = 0; left > 0; left--) {
    const int rows = (m - i + left - 1) / left;
    fn[rows - 1](op, in + i * op.ld, out + i * op.ld);
    i += rows;
  }
}

SMAX_TARGET void whiten(const EntropyOperands &op, int m, double *z, double *y)
{
  static const RowsFn fn[ROWS] = {whiten_rows<1>, whiten_rows<2>, whiten_rows<3>,
                                  whiten_rows<4>, whiten_rows<5>, whiten_rows<6>};
  in_groups(fn, op, m, z, y);
}

SMAX_TARGET void gradient(const EntropyOperands &op, int m, double *v, double *out)
{
  static const RowsFn fn[ROWS] = {gradient_rows<1>, gradient_rows<2>, gradient_rows<3>,
                                  gradient_rows<4>, gradient_rows<5>, gradient_rows<6>};
  in_groups(fn, op, m, v, out);
}

// packed += sum_i y_i y_i^T, upper triangle by rows, for m rows y.
SMAX_TARGET void outer(const EntropyOperands &op, int m, const double *y, double *packed)
{
  const int n = op.n;
  for (int r0 = 0; r0 < n; r0 += 4) {
    for (int c = r0 / (2 * W) * (2 * W); c < n; c += 2 * W) {
      vec acc[4][2];
      tile<4, 2>(0, m, y + r0, 1, op.ld, y + c, op.ld, acc);
      for (int r = 0; r < 4 && r0 + r < n; r++) {
        const long i = r0 + r;
        double *row = packed + i * n - i * (i + 1) / 2;    // row[j] is element (i, j), j >= i
        if (c >= i && c + 2 * W <= n) {
          *(uvec *) (row + c) += acc[r][0];
          *(uvec *) (row + c + W) += acc[r][1];
        } else {
          for (int k = 0; k < 2 * W; k++)
            if (c + k >= i && c + k < n) row[c + k] += acc[r][k / W][k % W];
        }
      }
    }
  }
}

// Eliminate within rows k..k+3 of x; writes pivots and the panel of lower and of the two inverses.
SMAX_TARGET inline void factor_panel(const EntropyOperands &op, int k, double *t)
{
  const size_t ld = op.ld;
  double *x = op.x + k * ld;
  double inv[PANEL];
  for (int q = 0; q < PANEL; q++) {
    t[k + q] = x[q * ld + k + q];
    inv[q] = 1.0 / (1.0 + t[k + q]);
    for (int r = q + 1; r < PANEL; r++) {
      const double f = x[q * ld + k + r] * inv[q];
      for (size_t j = k; j < ld; j += W) *(vec *) (x + r * ld + j) -= f * *(vec *) (x + q * ld + j);
    }
  }
  for (size_t i = k + PANEL; i < ld; i++)
    for (int q = 0; q < PANEL; q++) op.lower[i * ld + k + q] = x[q * ld + i] * inv[q];

  // u: inverse of the unit upper triangle of this panel
  double u[PANEL][PANEL] = {};
  for (int q = PANEL - 1; q >= 0; q--) {
    u[q][q] = 1.0;
    for (int r = q + 1; r < PANEL; r++)
      for (int c = r; c < PANEL; c++) u[q][c] -= x[q * ld + k + r] * inv[q] * u[r][c];
  }
  for (int q = 0; q < PANEL; q++)
    for (int c = 0; c < PANEL; c++) {
      op.diag_forward[(k + q) * PANEL + c] = u[q][c] * inv[c];
      op.diag_back[(k + q) * PANEL + c] = u[c][q];
    }
}

// 1 + X = L D L^T from the upper triangle of X in op.x, without ever adding the one: t[k] = D_k - 1
// keeps its relative accuracy when X ~ 1/N. Leaves D L^T - 1 in op.x and L - 1 in op.lower.
SMAX_TARGET void factor(const EntropyOperands &op, double *t)
{
  const int n = op.n;
  const size_t ld = op.ld;
  for (int k = 0; k < n; k += PANEL) {
    double *x = op.x + k * ld;
    for (size_t c = k / (2 * W) * (2 * W); c < ld; c += 2 * W) {
      vec acc[PANEL][2];
      tile<PANEL, 2>(0, k, op.lower + k * ld, ld, 1, op.x + c, ld, acc);
#pragma GCC unroll 8
      for (int r = 0; r < PANEL; r++)
#pragma GCC unroll 8
        for (int h = 0; h < 2; h++) *(vec *) (x + r * ld + c + h * W) -= acc[r][h];
    }
    factor_panel(op, k, t);
  }
}

const EntropyBlocks blocks = {whiten, gradient, outer, factor};

}    // namespace SMAX_BLOCKS
}    // namespace smax

#undef SMAX_BLOCKS
#undef SMAX_TARGET
#undef SMAX_LANES
