// Small matrix products and channel-wise products. Included by grace_impl.h.

#ifndef SMAX_GRACE_MATRIX_H
#define SMAX_GRACE_MATRIX_H

namespace smax {
namespace grace {
namespace SNAP_ISA {

using namespace snap::SNAP_ISA;

// M rows by V vectors of c, held in registers over the whole sum.
template <int M, int V>
SNAP_INLINE void tile(int n, const double *a, long lda, const double *b, long ldb, double *c,
                      long ldc, bool add)
{
  vd acc[M][V];
#pragma GCC unroll 16
  for (int i = 0; i < M; i++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) acc[i][v] = add ? load_any(c + i * ldc + v * W) : vd{};
  for (int k = 0; k < n; k++) {
    vd row[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) row[v] = load_any(b + k * ldb + v * W);
#pragma GCC unroll 16
    for (int i = 0; i < M; i++) {
      const vd s = splat(a[i * lda + k]);
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) acc[i][v] += s * row[v];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < M; i++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) store_any(c + i * ldc + v * W, acc[i][v]);
}

// The last m < M rows.
template <int M, int V>
static void last_rows(int m, int n, const double *a, long lda, const double *b, long ldb, double *c,
                      long ldc, bool add)
{
  if constexpr (M > 1) {
    if (m == M - 1)
      tile<M - 1, V>(n, a, lda, b, ldb, c, ldc, add);
    else
      last_rows<M - 1, V>(m, n, a, lda, b, ldb, c, ldc, add);
  }
}

template <int V>
static void panel(int m, int n, const double *a, long lda, const double *b, long ldb, double *c,
                  long ldc, bool add)
{
  int i = 0;
  for (; i + GRACE_ROWS <= m; i += GRACE_ROWS)
    tile<GRACE_ROWS, V>(n, a + i * lda, lda, b, ldb, c + i * ldc, ldc, add);
  if (i < m) last_rows<GRACE_ROWS, V>(m - i, n, a + i * lda, lda, b, ldb, c + i * ldc, ldc, add);
}

static void multiply(int m, int n, int k, const double *a, long lda, const double *b, double *c,
                     long ldc, bool add)
{
  int j = 0;
  for (; j + 2 * W <= k; j += 2 * W)
    panel<2>(m, n, a, lda, b + long(n) * j, 2 * W, c + j, ldc, add);
  for (; j < k; j += W) panel<1>(m, n, a, lda, b + long(n) * j, W, c + j, ldc, add);
}

// Few columns: the rows of a, which may come from afar, are read once.
static void multiply_small(int m, int n, int k, const double *a, long lda, const double *b,
                           long ldb, double *c, long ldc, bool add)
{
  for (int i = 0; i < m; i += GRACE_ROWS) {
    const int rows = m - i < GRACE_ROWS ? m - i : GRACE_ROWS;
    int j = 0;
    for (; j + 2 * W <= k; j += 2 * W)
      panel<2>(rows, n, a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc, add);
    for (; j < k; j += W)
      panel<1>(rows, n, a + i * lda, lda, b + j, ldb, c + i * ldc + j, ldc, add);
  }
}

/* ---------------------------------------------------------------------- */

template <int M>
SNAP_INLINE void tile_rows(int k, const double *a, long lda, const double *b, long ldb, double *c,
                           long ldc, bool add)
{
  vd acc[M][W];
#pragma GCC unroll 4
  for (int i = 0; i < M; i++)
#pragma GCC unroll 8
    for (int j = 0; j < W; j++) acc[i][j] = vd{};
  for (int t = 0; t < k; t += W) {
    vd row[M];
#pragma GCC unroll 4
    for (int i = 0; i < M; i++) row[i] = load_any(a + i * lda + t);
#pragma GCC unroll 8
    for (int j = 0; j < W; j++) {
      const vd column = load_any(b + j * ldb + t);
#pragma GCC unroll 4
      for (int i = 0; i < M; i++) acc[i][j] += row[i] * column;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < M; i++) {
    const vd before = add ? load_any(c + i * ldc) : vd{};
    store_any(c + i * ldc, before + lane_sums(acc[i]));
  }
}

static void multiply_rows(int m, int n, int k, const double *a, long lda, const double *b, long ldb,
                          double *c, long ldc, bool add)
{
  for (int j = 0; j < n; j += W) {
    int i = 0;
    for (; i + 3 <= m; i += 3)
      tile_rows<3>(k, a + i * lda, lda, b + j * ldb, ldb, c + i * ldc + j, ldc, add);
    for (; i < m; i++)
      tile_rows<1>(k, a + i * lda, lda, b + j * ldb, ldb, c + i * ldc + j, ldc, add);
  }
}

/* ---------------------------------------------------------------------- */

// Columns of n functions side by side: strides of powers of two would share few sets of the cache.
template <int V> SNAP_INLINE void pack(int n, long stride, const double *from, double *to)
{
  for (int i = 0; i < n; i++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++)
      store_any(to + (i * V + v) * W, load_any(from + i * stride + v * W));
}

template <int V>
SNAP_INLINE void bilinear_columns(const Bilinear &f, long stride, const double *p, const double *q,
                                  double *out, bool add, double *work)
{
  double *packed = work + f.np * V * W;
  pack<V>(f.np, stride, p, work);
  pack<V>(f.nq, stride, q, packed);
  for (int t = 0; t < f.nout; t++) {
    if (f.start[t] == f.start[t + 1] && add) continue;
    double *o = out + t * stride;
    vd acc[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) acc[v] = add ? load_any(o + v * W) : vd{};
    for (int k = f.start[t]; k < f.start[t + 1]; k++) {
      const double *l = work + f.left[k] * V * W, *r = packed + f.right[k] * V * W;
      const vd c = splat(f.coef[k]);
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) acc[v] += c * load_any(l + v * W) * load_any(r + v * W);
    }
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) store_any(o + v * W, acc[v]);
  }
}

static void bilinear(const Bilinear &f, int ncol, const double *p, const double *q, double *out,
                     bool add, double *work)
{
  int j = 0;
  for (; j + 4 * W <= ncol; j += 4 * W)
    bilinear_columns<4>(f, ncol, p + j, q + j, out + j, add, work);
  for (; j < ncol; j += W) bilinear_columns<1>(f, ncol, p + j, q + j, out + j, add, work);
}

/* ---------------------------------------------------------------------- */

static void linear(const Bilinear &f, int ncol, const double *p, double *out, bool add)
{
  for (int t = 0; t < f.nout; t++) {
    if (f.start[t] == f.start[t + 1] && add) continue;
    double *o = out + long(t) * ncol;
    for (int j = 0; j < ncol; j += W) {
      vd acc = add ? load_any(o + j) : vd{};
      for (int k = f.start[t]; k < f.start[t + 1]; k++)
        acc += f.coef[k] * load_any(p + long(f.left[k]) * ncol + j);
      store_any(o + j, acc);
    }
  }
}

/* ---------------------------------------------------------------------- */

static void sum_slots(const Slots &s, const double *T, double *A)
{
  for (int lm = 0; lm < s.nlm; lm++)
    for (int k = 0; k < s.nslot; k++) {
      const double *w = s.weight[k], *t = T + (long(lm) * s.nslot + k) * s.n;
      double *a = A + (long(lm) * s.natoms + s.atom[k]) * s.n;
      for (int n = 0; n < s.n; n += W)
        store_any(a + n, load_any(a + n) + load_any(w + n) * load_any(t + n));
    }
}

static void spread_slots(const Slots &s, const double *dA, double *dT)
{
  for (int lm = 0; lm < s.nlm; lm++)
    for (int k = 0; k < s.nslot; k++) {
      const double *w = s.weight[k], *a = dA + (long(lm) * s.natoms + s.atom[k]) * s.n;
      double *t = dT + (long(lm) * s.nslot + k) * s.n;
      for (int n = 0; n < s.n; n += W) store_any(t + n, load_any(w + n) * load_any(a + n));
    }
}

}    // namespace SNAP_ISA
}    // namespace grace
}    // namespace smax

#endif
