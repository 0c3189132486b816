// Lengths of bonds, their Chebyshev basis, activation. Lanes are bonds. Included by grace_impl.h.

#ifndef SMAX_GRACE_RADIAL_H
#define SMAX_GRACE_RADIAL_H

namespace smax {
namespace grace {
namespace SNAP_ISA {

SNAP_INLINE vd power(vd x, int n)
{
  vd out = splat(1.0);
  for (; n; n >>= 1, x *= x)
    if (n & 1) out *= x;
  return out;
}

static void bonds(const Columns &c, int nbasis, int p, double *b)
{
  const double half = 0.5 * p * (p + 1);
  for (int j = 0; j < c.ncol; j += W) {
    const vd rx = load_any(c.dx + j), ry = load_any(c.dy + j), rz = load_any(c.dz + j);
    const vd d = root(rx * rx + ry * ry + rz * rz + 1e-10);
    const vd inverse = 1.0 / d;
    store_any(c.d + j, d);
    store_any(c.x + j, rx * inverse);
    store_any(c.y + j, ry * inverse);
    store_any(c.z + j, rz * inverse);

    const vd u = d / load_any(c.rcut + j);
    const vi inside = u < 1.0;
    const vd before = power(u, p - 1), up = before * u;
    vd f = 1.0 + up * (u * (double(p) * (p + 2) - half * u) - 0.5 * (p + 1) * (p + 2));
    vd df = before * (-half * (p + 2)) * (1.0 - u) * (1.0 - u);
    f = inside ? f : vd{};
    df = inside ? df : vd{};

    const vd x = 2.0 * u - 1.0;
    vd t0 = splat(1.0), t1 = x, s0 = vd{}, s1 = splat(2.0);    // T_k and its derivative by u
    for (int k = 0; k < nbasis; k++) {
      double *row = b + long(k) * 2 * c.ncol + j;
      store_any(row, t1 * f);
      store_any(row + c.ncol, s1 * f + t1 * df);
      const vd t2 = 2.0 * x * t1 - t0, s2 = 4.0 * t1 + 2.0 * x * s1 - s0;
      t0 = t1, t1 = t2, s0 = s1, s1 = s2;
    }
  }
}

/* ---------------------------------------------------------------------- */

// exp(x), |x| cut at 700: reduction by ln 2 in two parts, then the Taylor series on
// |x| <= ln(2) / 2, whose first dropped term is below 2e-16.
SNAP_INLINE vd exponential(vd x)
{
  const vd low = splat(-700.0), high = splat(700.0);
  x = x < low ? low : x;
  x = x > high ? high : x;
  const double shifter = 0x1.8p52;    // leaves the integer in the low bits
  const vd shifted = x * 0x1.71547652b82fep+0 + shifter;
  const vd n = shifted - shifter;
  const vd r = (x - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;
  vd e = r * (1.0 / 479001600.0) + 1.0 / 39916800.0;
  e = e * r + 1.0 / 3628800.0;
  e = e * r + 1.0 / 362880.0;
  e = e * r + 1.0 / 40320.0;
  e = e * r + 1.0 / 5040.0;
  e = e * r + 1.0 / 720.0;
  e = e * r + 1.0 / 120.0;
  e = e * r + 1.0 / 24.0;
  e = e * r + 1.0 / 6.0;
  e = e * r + 0.5;
  e = e * r + 1.0;
  e = e * r + 1.0;
  return e * (vd) (((vi) shifted + 1023) << 52);
}

SNAP_INLINE vd silu_of(vd z, vd &slope)
{
  const vd s = 1.0 / (1.0 + exponential(-z));
  slope = s * (1.0 + z * (1.0 - s));
  return z * s;
}

static void silu_rows(int nrow, int ncol, double *z, bool derivatives)
{
  for (int i = 0; i < nrow; i++, z += 2 * ncol)
    for (int j = 0; j < ncol; j += W) {
      vd slope;
      store_any(z + j, silu_of(load_any(z + j), slope));
      if (derivatives) store_any(z + ncol + j, slope * load_any(z + ncol + j));
    }
}

static void silu(int n, double *z, double *slope)
{
  for (int j = 0; j < n; j += W) {
    vd s;
    store_any(z + j, silu_of(load_any(z + j), s));
    store_any(slope + j, s);
  }
}

static void tanh(int n, double *z, double *slope)
{
  for (int j = 0; j < n; j += W) {
    const vd t = 1.0 - 2.0 / (1.0 + exponential(2.0 * load_any(z + j)));
    store_any(z + j, t);
    store_any(slope + j, 1.0 - t * t);
  }
}

}    // namespace SNAP_ISA
}    // namespace grace
}    // namespace smax

#endif
