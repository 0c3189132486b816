// Sums over neighbours of harmonics times what each neighbour tells, channel by channel. Lanes are
// channels. Included by grace_impl.h.

#ifndef SMAX_GRACE_MESSAGE_H
#define SMAX_GRACE_MESSAGE_H

namespace smax {
namespace grace {
namespace SNAP_ISA {

// f(first, count) for the functions of a message, as many at a time as registers hold.
template <class F> SNAP_INLINE void by_functions(int nb, F &&f)
{
  int b = 0;
  for (; b + 4 <= nb; b += 4) f(b, std::integral_constant<int, 4>());
  switch (nb - b) {
    case 3:
      f(b, std::integral_constant<int, 3>());
      break;
    case 2:
      f(b, std::integral_constant<int, 2>());
      break;
    case 1:
      f(b, std::integral_constant<int, 1>());
      break;
  }
}

// A[lm][b] += sum over bonds of ry M_b
template <int N>
SNAP_INLINE void add_products(const Messages &s, const vd *ry, const double *M, double *A)
{
  vd acc[N];
#pragma GCC unroll 4
  for (int i = 0; i < N; i++) acc[i] = load_any(A + i * s.n);
  for (int k = 0; k < s.nbond; k++, M += long(s.nb) * s.n)
#pragma GCC unroll 4
    for (int i = 0; i < N; i++) acc[i] += ry[k] * load_any(M + i * s.n);
#pragma GCC unroll 4
  for (int i = 0; i < N; i++) store_any(A + i * s.n, acc[i]);
}

static void sum_messages(const Messages &s, double *A)
{
  vd ry[BLOCK];
  for (int v = 0; v < s.n; v += W)
    for (int l = 0, lm = 0; l <= s.lmax; l++)
      for (int m = -l; m <= l; m++, lm++) {
        for (int k = 0; k < s.nbond; k++)
          ry[k] = s.Y[long(lm) * s.ldy + k] * load_any(s.R + k * s.ldr + l * s.n + v);
        by_functions(s.nb, [&](int b, auto count) {
          add_products<count()>(s, ry, s.M + b * s.n + v, A + (long(lm) * s.nb + b) * s.n + v);
        });
      }
}

/* ---------------------------------------------------------------------- */

// Of one bond and one vector of channels: dM_b = sum over lm of R Y G; Q[lm] (+)= sum_b M_b G.
template <int N>
SNAP_INLINE void spread_products(const Messages &s, const double *R, const double *Y,
                                 const double *M, const double *G, double *dM, vd *Q, bool add)
{
  vd told[N], grad[N];
#pragma GCC unroll 4
  for (int i = 0; i < N; i++) {
    told[i] = load_any(M + i * s.n);
    grad[i] = vd{};
  }
  const long next = long(s.nb) * s.n;
  for (int l = 0, lm = 0; l <= s.lmax; l++) {
    const vd r = load_any(R + l * s.n);
    for (int m = -l; m <= l; m++, lm++, G += next) {
      const vd ry = r * Y[long(lm) * s.ldy];
      vd q = add ? Q[lm] : vd{};
#pragma GCC unroll 4
      for (int i = 0; i < N; i++) {
        const vd g = load_any(G + i * s.n);
        grad[i] += ry * g;
        q += told[i] * g;
      }
      Q[lm] = q;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < N; i++) store_any(dM + i * s.n, grad[i]);
}

static double lanes_of(vd x)
{
  double sum = 0.0;
  for (int i = 0; i < W; i++) sum += x[i];
  return sum;
}

static void spread_messages(const Messages &s, const double *G, double *dR, double *dY, long lddy,
                            double *dM)
{
  vd Q[(MAX_L + 1) * (MAX_L + 1)], along[(MAX_L + 1) * (MAX_L + 1)];
  const int nlm = (s.lmax + 1) * (s.lmax + 1);
  for (int k = 0; k < s.nbond; k++) {
    const double *R = s.R + k * s.ldr, *M = s.M + long(k) * s.nb * s.n, *Y = s.Y + k;
    for (int lm = 0; lm < nlm; lm++) along[lm] = vd{};
    for (int v = 0; v < s.n; v += W) {
      by_functions(s.nb, [&](int b, auto count) {
        spread_products<count()>(s, R + v, Y, M + b * s.n + v, G + b * s.n + v,
                                 dM + (long(k) * s.nb + b) * s.n + v, Q, b > 0);
      });
      for (int l = 0, lm = 0; l <= s.lmax; l++) {
        const vd r = load_any(R + l * s.n + v);
        vd sum = vd{};
        for (int m = -l; m <= l; m++, lm++) {
          sum += Y[long(lm) * s.ldy] * Q[lm];
          along[lm] += r * Q[lm];
        }
        store_any(dR + k * s.ldr + l * s.n + v, sum);
      }
    }
    for (int lm = 0; lm < nlm; lm++) dY[lm * lddy + k] = lanes_of(along[lm]);
  }
}

}    // namespace SNAP_ISA
}    // namespace grace
}    // namespace smax

#endif
