// Pair lanes: geometry and moments of the neighbour density. Included by snap_impl.h.
//
// A neighbour at distance r in direction n is the point (cos theta0, sin theta0 n) of the 3-sphere.
// The Wigner functions u_j there are fixed combinations of
//     R_jl(theta0) Q_lm(n_z) {C_m, S_m},    C_m + i S_m = (n_x + i n_y)^m,    m <= l <= j,
// with R_jl = sin^l p(cos theta0) and p, Q monic Gegenbauer polynomials: (j + 1)^2 real functions
// each j, so that the sum over neighbours takes one product R_jl Y_lm for each.

#ifndef SMAX_SNAP_PAIRS_H
#define SMAX_SNAP_PAIRS_H

namespace smax {
namespace snap {
namespace SNAP_ISA {

enum { COS, SIN, NX, NY, NZ, RINV, DTHETA, SFAC, DSFAC };

// First of the pairs (l, l), (l, l + 1), ..., (l, J).
SNAP_INLINE int tri(int twojmax, int l)
{
  return l * (twojmax + 1) - l * (l - 1) / 2;
}

SNAP_INLINE void geometry_record(const Shape &shape, int n, vd dx, vd dy, vd dz, vd rcut, vd *g)
{
  const double pi = 3.14159265358979323846;
  const vd r = root(dx * dx + dy * dy + dz * dz);
  const vd rinv = 1.0 / r;
  const vd scale = pi / (rcut - shape.rmin0);
  const vd x = (r - shape.rmin0) * scale;

  // stock SNAP has sin theta0 > 0 always: below rmin0 the angle is shifted by pi
  vd s, c;
  sincos(x * shape.rfac0, s, c);
  const vi flip = s < 0.0;
  g[COS] = flip ? -c : c;
  g[SIN] = flip ? -s : s;
  g[NX] = dx * rinv;
  g[NY] = dy * rinv;
  g[NZ] = dz * rinv;
  g[RINV] = rinv;
  g[DTHETA] = shape.rfac0 * scale;

  vd sfac = splat(1.0), dsfac = vd{};
  if (shape.switching) {
    sincos(x, s, c);
    const vi core = r <= shape.rmin0;
    sfac = core ? sfac : 0.5 * c + 0.5;
    dsfac = core ? dsfac : -0.5 * scale * s;
  }
  vi lane;
  for (int i = 0; i < W; i++) lane[i] = i;
  const vi inside = (lane < n) & (r < rcut);
  g[SFAC] = inside ? sfac : vd{};
  g[DSFAC] = inside ? dsfac : vd{};
}

static void geometry(const Shape &shape, int n, const double *dx, const double *dy,
                     const double *dz, const double *rcut, double *geom)
{
  vd *g = (vd *) geom;
  for (; n >= W; n -= W, dx += W, dy += W, dz += W, rcut += W, g += NGEOM)
    geometry_record(shape, W, load_any(dx), load_any(dy), load_any(dz), load_any(rcut), g);
  if (n == 0) return;

  // idle lanes repeat the last pair; their sfac is zero
  vd x, y, z, rc;
  for (int i = 0; i < W; i++) {
    const int k = i < n ? i : n - 1;
    x[i] = dx[k];
    y[i] = dy[k];
    z[i] = dz[k];
    rc[i] = rcut[k];
  }
  geometry_record(shape, n, x, y, z, rc, g);
}

// p_n of pairs (first, first), (first, first + 1), ... times `start`.
SNAP_INLINE void recursion(int count, const double *k, vd x, vd start, vd *p)
{
  vd last = vd{}, now = start;
  for (int n = 0; n < count; n++) {
    p[n] = now;
    const vd next = x * now - k[n] * last;
    last = now;
    now = next;
  }
}

// C_m, S_m for m = 0..J
SNAP_INLINE void azimuth(int twojmax, vd x, vd y, vd *cm, vd *sm)
{
  cm[0] = splat(1.0);
  sm[0] = vd{};
  for (int m = 0; m < twojmax; m++) {
    cm[m + 1] = x * cm[m] - y * sm[m];
    sm[m + 1] = x * sm[m] + y * cm[m];
  }
}

// sfac R_jl by l, and Y_lm by l: m = 0, C_1, S_1, C_2, S_2, ...
SNAP_INLINE void basis(const Tables &t, const vd *g, vd *radial, vd *ylm)
{
  const int J = t.twojmax;
  vd cm[MAX_J + 1], sm[MAX_J + 1], q[MAX_J + 1];
  azimuth(J, g[NX], g[NY], cm, sm);
  vd start = g[SFAC];
  for (int l = 0; l <= J; l++) {
    recursion(J - l + 1, t.kradial + tri(J, l), g[COS], start, radial + tri(J, l));
    start *= g[SIN];
  }
  for (int m = 0; m <= J; m++) {
    recursion(J - m + 1, t.kangular + tri(J, m), g[NZ], splat(1.0), q);
    if (m == 0)
      for (int l = 0; l <= J; l++) ylm[l * l] = q[l];
    else
      for (int l = m; l <= J; l++) {
        ylm[l * l + 2 * m - 1] = q[l - m] * cm[m];
        ylm[l * l + 2 * m] = q[l - m] * sm[m];
      }
  }
}

// acc[row][n] += sum over NB records of radial[n] ylm[row]
template <int N, int NB> static void accumulate(int nrow, const vd *radial, const vd *ylm, vd *acc)
{
  for (int row = 0; row < nrow; row++, acc += N) {
    vd y[NB];
    for (int b = 0; b < NB; b++) y[b] = ylm[row + b * MAX_LM];
#pragma GCC unroll 16
    for (int n = 0; n < N; n++) {
      vd a = acc[n];
      for (int b = 0; b < NB; b++) a += radial[n + b * MAX_TRI] * y[b];
      acc[n] = a;
    }
  }
}

// clang-format off
#define SNAP_BY_COUNT(n, call) \
  switch (n) { \
    case 1: call(1); break;   case 2: call(2); break;   case 3: call(3); break; \
    case 4: call(4); break;   case 5: call(5); break;   case 6: call(6); break; \
    case 7: call(7); break;   case 8: call(8); break;   case 9: call(9); break; \
    case 10: call(10); break; case 11: call(11); break; case 12: call(12); break; \
    case 13: call(13); break; case 14: call(14); break; case 15: call(15); break; \
  }
// clang-format on

template <int NB> static void add_records(const Tables &t, const vd *g, vd *acc)
{
  const int J = t.twojmax;
  vd radial[NB * MAX_TRI], ylm[NB * MAX_LM];
  for (int b = 0; b < NB; b++) basis(t, g + b * NGEOM, radial + b * MAX_TRI, ylm + b * MAX_LM);
  for (int l = 0; l <= J; l++) {
#define SNAP_CALL(N) accumulate<N, NB>(2 * l + 1, radial + tri(J, l), ylm + l * l, acc)
    SNAP_BY_COUNT(J - l + 1, SNAP_CALL)
#undef SNAP_CALL
    acc += (2 * l + 1) * (J - l + 1);
  }
}

static void density(const Tables &t, int nrecord, const double *geom, double *work, double *moments)
{
  constexpr int NB = W == 8 ? 4 : 2;    // more records at once need the larger register file
  const vd *g = (const vd *) geom;
  vd *acc = (vd *) work;
  const int nsum = (t.nbasis + W - 1) / W;
  for (int k = 0; k < nsum * W; k++) acc[k] = vd{};
  int i = 0;
  for (; i + NB <= nrecord; i += NB) add_records<NB>(t, g + i * NGEOM, acc);
  if (NB > 2 && i + 2 <= nrecord) {
    add_records<2>(t, g + i * NGEOM, acc);
    i += 2;
  }
  if (i < nrecord) add_records<1>(t, g + i * NGEOM, acc);
  for (int k = 0; k < nsum; k++) store(work + k * W, lane_sums(acc + k * W));
  for (int k = 0; k < t.nbasis; k++) moments[k * W] = work[k];
}

}    // namespace SNAP_ISA
}    // namespace snap
}    // namespace smax

#endif
