// Vectors of SNAP_WIDTH doubles and the few functions they need. Included by snap_impl.h.

#ifndef SMAX_SNAP_VECTOR_H
#define SMAX_SNAP_VECTOR_H

#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define SNAP_INLINE static inline __attribute__((always_inline))

namespace smax {
namespace snap {
namespace SNAP_ISA {

constexpr int W = SNAP_WIDTH;

typedef double vd __attribute__((vector_size(8 * SNAP_WIDTH), may_alias));
typedef int64_t vi __attribute__((vector_size(8 * SNAP_WIDTH), may_alias));
typedef double vd_any __attribute__((vector_size(8 * SNAP_WIDTH), may_alias, aligned(8)));

SNAP_INLINE vd load(const double *p)
{
  return *(const vd *) p;
}

SNAP_INLINE void store(double *p, vd v)
{
  *(vd *) p = v;
}

SNAP_INLINE vd load_any(const double *p)
{
  return *(const vd_any *) p;
}

SNAP_INLINE void store_any(double *p, vd v)
{
  *(vd_any *) p = v;
}

SNAP_INLINE vd splat(double x)
{
  return x - vd{};
}

SNAP_INLINE vd root(vd x)
{
#if defined(__AVX512F__) && SNAP_WIDTH == 8
  return (vd) _mm512_maskz_sqrt_pd(0xff, (__m512d) x);
#elif defined(__AVX__) && SNAP_WIDTH == 4
  return (vd) _mm256_sqrt_pd((__m256d) x);
#elif defined(__SSE2__) && SNAP_WIDTH == 2
  return (vd) _mm_sqrt_pd((__m128d) x);
#else
  for (int i = 0; i < W; i++) x[i] = __builtin_sqrt(x[i]);
  return x;
#endif
}

// Lane i of the result is the sum over the lanes of x[i].
SNAP_INLINE vd lane_sums(const vd *x)
{
#if SNAP_WIDTH == 2
  return __builtin_shufflevector(x[0], x[1], 0, 2) + __builtin_shufflevector(x[0], x[1], 1, 3);
#elif SNAP_WIDTH == 4
  vd a[2];
  for (int i = 0; i < 2; i++)
    a[i] = __builtin_shufflevector(x[2 * i], x[2 * i + 1], 0, 4, 2, 6) +
           __builtin_shufflevector(x[2 * i], x[2 * i + 1], 1, 5, 3, 7);
  return __builtin_shufflevector(a[0], a[1], 0, 1, 4, 5) +
         __builtin_shufflevector(a[0], a[1], 2, 3, 6, 7);
#else
  vd a[4], b[2];
  for (int i = 0; i < 4; i++)
    a[i] = __builtin_shufflevector(x[2 * i], x[2 * i + 1], 0, 8, 2, 10, 4, 12, 6, 14) +
           __builtin_shufflevector(x[2 * i], x[2 * i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  for (int i = 0; i < 2; i++)
    b[i] = __builtin_shufflevector(a[2 * i], a[2 * i + 1], 0, 1, 8, 9, 4, 5, 12, 13) +
           __builtin_shufflevector(a[2 * i], a[2 * i + 1], 2, 3, 10, 11, 6, 7, 14, 15);
  return __builtin_shufflevector(b[0], b[1], 0, 1, 2, 3, 8, 9, 10, 11) +
         __builtin_shufflevector(b[0], b[1], 4, 5, 6, 7, 12, 13, 14, 15);
#endif
}

// Sine and cosine for |x| < 1e5: reduction by pi/2 in three parts, then Taylor series on
// |x| <= pi/4, whose first dropped terms are below 1e-16.
SNAP_INLINE void sincos(vd x, vd &s, vd &c)
{
  const double shifter = 0x1.8p52;    // leaves the integer in the low bits
  const vd shifted = x * 0x1.45f306dc9c883p-1 + shifter;
  const vi quadrant = (vi) shifted;
  const vd n = shifted - shifter;
  const vd r = ((x - n * 0x1.921fb544p+0) - n * 0x1.0b4611a6p-34) - n * 0x1.3198a2e037073p-69;
  const vd r2 = r * r;

  vd sn = r2 * (-1.0 / 1307674368000.0) + 1.0 / 6227020800.0;
  sn = sn * r2 - 1.0 / 39916800.0;
  sn = sn * r2 + 1.0 / 362880.0;
  sn = sn * r2 - 1.0 / 5040.0;
  sn = sn * r2 + 1.0 / 120.0;
  sn = sn * r2 - 1.0 / 6.0;
  sn = sn * r2 * r + r;
  vd cs = r2 * (1.0 / 20922789888000.0) - 1.0 / 87178291200.0;
  cs = cs * r2 + 1.0 / 479001600.0;
  cs = cs * r2 - 1.0 / 3628800.0;
  cs = cs * r2 + 1.0 / 40320.0;
  cs = cs * r2 - 1.0 / 720.0;
  cs = cs * r2 + 1.0 / 24.0;
  cs = cs * r2 - 0.5;
  cs = cs * r2 + 1.0;

  const vi odd = (quadrant & 1) != 0;
  const vd swapped_s = odd ? cs : sn;
  const vd swapped_c = odd ? sn : cs;
  s = (quadrant & 2) != 0 ? -swapped_s : swapped_s;
  c = ((quadrant + 1) & 2) != 0 ? -swapped_c : swapped_c;
}

}    // namespace SNAP_ISA
}    // namespace snap
}    // namespace smax

#endif
