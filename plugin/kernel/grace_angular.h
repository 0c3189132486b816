// Real spherical harmonics and the gradient of a bond. Lanes are bonds. Included by grace_impl.h.
//
// Y_lm = Q_l^|m|(z) Re or Im (x + i y)^|m|, m < 0 the imaginary part; as polynomials also off the
// unit sphere. Recursion at fixed m: Q_l = a (z Q_{l-1} + b Q_{l-2}), with (a, b) at 2 (l (l + 1) /
// 2
// + m) of `recursion`; there a of l = m is Q_m^m itself.

#ifndef SMAX_GRACE_ANGULAR_H
#define SMAX_GRACE_ANGULAR_H

namespace smax {
namespace grace {
namespace SNAP_ISA {

static void harmonics(int lmax, const double *recursion, const Columns &c, double *Y)
{
  const long n = c.ncol;
  for (int j = 0; j < n; j += W) {
    const vd x = load_any(c.x + j), y = load_any(c.y + j), z = load_any(c.z + j);
    vd re = splat(1.0), im = vd{};
    for (int m = 0; m <= lmax; m++) {
      vd q0 = vd{}, q1 = vd{};
      for (int l = m; l <= lmax; l++) {
        const double *ab = recursion + l * (l + 1) + 2 * m;
        const vd q = l == m ? splat(ab[0]) : ab[0] * (z * q1 + ab[1] * q0);
        store_any(Y + (l * (l + 1) + m) * n + j, q * re);
        if (m) store_any(Y + (l * (l + 1) - m) * n + j, q * im);
        q0 = q1, q1 = q;
      }
      const vd next = re * x - im * y;
      im = re * y + im * x;
      re = next;
    }
  }
}

// dE/dx, dE/dy, dE/dz of the unit vector, times whole vectors at column j of P
SNAP_INLINE void unit_gradient(int lmax, const double *recursion, vd x, vd y, vd z, const double *P,
                               long stride, vd *g)
{
  g[0] = g[1] = g[2] = vd{};
  vd re = splat(1.0), im = vd{}, re1 = vd{}, im1 = vd{};    // powers m and m - 1
  for (int m = 0; m <= lmax; m++) {
    vd q0 = vd{}, q1 = vd{}, s0 = vd{}, s1 = vd{};
    vd sum_re = vd{}, sum_im = vd{};    // dE/dRe, dE/dIm
    for (int l = m; l <= lmax; l++) {
      const double *ab = recursion + l * (l + 1) + 2 * m;
      const vd q = l == m ? splat(ab[0]) : ab[0] * (z * q1 + ab[1] * q0);
      const vd s = l == m ? vd{} : ab[0] * (q1 + z * s1 + ab[1] * s0);
      const vd p = load_any(P + (l * (l + 1) + m) * stride);
      sum_re += p * q;
      vd along = p * re;
      if (m) {
        const vd p_im = load_any(P + (l * (l + 1) - m) * stride);
        sum_im += p_im * q;
        along += p_im * im;
      }
      g[2] += along * s;
      q0 = q1, q1 = q, s0 = s1, s1 = s;
    }
    g[0] += double(m) * (sum_re * re1 + sum_im * im1);
    g[1] += double(m) * (sum_im * re1 - sum_re * im1);
    re1 = re, im1 = im;
    const vd next = re * x - im * y;
    im = re * y + im * x;
    re = next;
  }
}

static void gradient(int lmax, const double *recursion, const Columns &c, const double *Y,
                     const double *P, double *gx, double *gy, double *gz)
{
  const int n = c.ncol, nlm = (lmax + 1) * (lmax + 1);
  for (int j = 0; j < n; j += W) {
    const vd x = load_any(c.x + j), y = load_any(c.y + j), z = load_any(c.z + j);
    vd by_u = vd{}, g[3];
    for (int lm = 0; lm < nlm; lm++)
      by_u += load_any(Y + long(lm) * n + j) * load_any(P + long(2 * lm + 1) * n + j);
    unit_gradient(lmax, recursion, x, y, z, P + j, 2L * n, g);
    const vd inverse = 1.0 / load_any(c.d + j);
    const vd radial = by_u / load_any(c.rcut + j) - (g[0] * x + g[1] * y + g[2] * z) * inverse;
    store_any(gx + j, g[0] * inverse + radial * x);
    store_any(gy + j, g[1] * inverse + radial * y);
    store_any(gz + j, g[2] * inverse + radial * z);
  }
}

}    // namespace SNAP_ISA
}    // namespace grace
}    // namespace smax

#endif
