// Pair lanes: gradient of each neighbour from dE/dmoments. Included by snap_impl.h.
//
// The polynomials of snap_pairs.h are monic, so their derivatives are among themselves:
//     dR_jl/dtheta0 = l cos sin^(l-1) p - (j - l) R_j,l+1,    dQ_lm/dn_z = (l - m) Q_l,m+1.

#ifndef SMAX_SNAP_FORCE_H
#define SMAX_SNAP_FORCE_H

namespace smax {
namespace snap {
namespace SNAP_ISA {

// g[row] = sum_n dm[row][n] radial[n], h[row] = sum_n dm[row][n] dradial[n]
template <int N>
static void contract(int nrow, const double *dm, const vd *radial, const vd *dradial, vd *g, vd *h)
{
  for (int row = 0; row < nrow; row++, dm += N) {
    vd a = vd{}, b = vd{};
#pragma GCC unroll 16
    for (int n = 0; n < N; n++) {
      a += dm[n] * radial[n];
      b += dm[n] * dradial[n];
    }
    g[row] = a;
    h[row] = b;
  }
}

// R_jl and dR_jl/dtheta0
SNAP_INLINE void radial_gradient(const Tables &t, const vd *g, vd *radial, vd *dradial)
{
  const int J = t.twojmax;
  vd power[MAX_J + 1];
  power[0] = splat(1.0);
  for (int l = 0; l < J; l++) power[l + 1] = power[l] * g[SIN];
  for (int l = J; l >= 0; l--) {
    vd *r = radial + tri(J, l), *d = dradial + tri(J, l);
    const vd *up = radial + tri(J, l + 1) - 1;
    const int count = J - l + 1;
    if (l == 0) {
      recursion(count, t.kradial, g[COS], power[0], r);
      d[0] = vd{};
      for (int n = 1; n < count; n++) d[n] = -double(n) * up[n];
      return;
    }
    recursion(count, t.kradial + tri(J, l), g[COS], power[l - 1], r);
    const vd lc = double(l) * g[COS];
    d[0] = lc * r[0];
    for (int n = 1; n < count; n++) d[n] = lc * r[n] - double(n) * up[n];
    for (int n = 0; n < count; n++) r[n] *= g[SIN];
  }
}

// Value and derivatives of F(theta0, n) = sum g_lm Y_lm: f, dF/dtheta0 (from h), dF/dn.
struct Slope {
  vd f, theta, x, y, z;
};

SNAP_INLINE Slope angular_gradient(const Tables &t, const vd *geo, const vd *g, const vd *h)
{
  const int J = t.twojmax;
  vd cm[MAX_J + 1], sm[MAX_J + 1], q[MAX_TRI];
  azimuth(J, geo[NX], geo[NY], cm, sm);
  for (int m = 0; m <= J; m++)
    recursion(J - m + 1, t.kangular + tri(J, m), geo[NZ], splat(1.0), q + tri(J, m));

  Slope out = {};
  for (int l = 0; l <= J; l++) {
    out.f += q[l] * g[l * l];
    out.theta += q[l] * h[l * l];
    if (l > 0) out.z += double(l) * q[tri(J, 1) + l - 1] * g[l * l];
  }
  for (int m = 1; m <= J; m++) {
    vd ac = vd{}, as = vd{}, zc = vd{}, zs = vd{}, hc = vd{}, hs = vd{};
    const vd *qm = q + tri(J, m) - m;
    const vd *up = q + tri(J, m + 1) - m - 1;
    for (int l = m; l <= J; l++) {
      const int k = l * l + 2 * m - 1;
      ac += qm[l] * g[k];
      as += qm[l] * g[k + 1];
      hc += qm[l] * h[k];
      hs += qm[l] * h[k + 1];
      if (l == m) continue;
      const vd dq = double(l - m) * up[l];
      zc += dq * g[k];
      zs += dq * g[k + 1];
    }
    out.f += ac * cm[m] + as * sm[m];
    out.theta += hc * cm[m] + hs * sm[m];
    out.z += zc * cm[m] + zs * sm[m];
    out.x += double(m) * (ac * cm[m - 1] + as * sm[m - 1]);
    out.y += double(m) * (as * cm[m - 1] - ac * sm[m - 1]);
  }
  return out;
}

// grad = (sfac' f + sfac theta0' dF/dtheta0) n + sfac / r (dF/dn - n (n . dF/dn))
SNAP_INLINE void force_record(const Tables &t, const vd *geo, const double *dm, vd *grad)
{
  const int J = t.twojmax;
  vd radial[MAX_TRI], dradial[MAX_TRI], g[MAX_LM], h[MAX_LM];
  radial_gradient(t, geo, radial, dradial);
  for (int l = 0; l <= J; l++) {
#define SNAP_CALL(N) \
  contract<N>(2 * l + 1, dm, radial + tri(J, l), dradial + tri(J, l), g + l * l, h + l * l)
    SNAP_BY_COUNT(J - l + 1, SNAP_CALL)
#undef SNAP_CALL
    dm += (2 * l + 1) * (J - l + 1);
  }
  const Slope s = angular_gradient(t, geo, g, h);
  const vd dot = s.x * geo[NX] + s.y * geo[NY] + s.z * geo[NZ];
  const vd tangent = geo[SFAC] * geo[RINV];
  const vd along = geo[DSFAC] * s.f + geo[SFAC] * geo[DTHETA] * s.theta - tangent * dot;
  grad[0] = along * geo[NX] + tangent * s.x;
  grad[1] = along * geo[NY] + tangent * s.y;
  grad[2] = along * geo[NZ] + tangent * s.z;
}

static void force(const Tables &t, int n, const double *geom, const double *dm, double *gx,
                  double *gy, double *gz)
{
  const vd *g = (const vd *) geom;
  vd grad[3];
  for (; n >= W; n -= W, gx += W, gy += W, gz += W, g += NGEOM) {
    force_record(t, g, dm, grad);
    store_any(gx, grad[0]);
    store_any(gy, grad[1]);
    store_any(gz, grad[2]);
  }
  if (n == 0) return;
  force_record(t, g, dm, grad);
  for (int i = 0; i < n; i++) {
    gx[i] = grad[0][i];
    gy[i] = grad[1][i];
    gz[i] = grad[2][i];
  }
}

}    // namespace SNAP_ISA
}    // namespace snap
}    // namespace smax

#endif
