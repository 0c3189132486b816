// Atom lanes: U from the moments, Z and the components, and the adjoint. Included by snap_impl.h.
//
//     Z(j1,j2,j)[mb][ma] = sum C(mb1,mb2) C(ma1,ma2) u_j1[mb1][ma1] u_j2[mb2][ma2]
//     B(j1,j2,j) = sum Re conj(u_j) Z,    Y_j = sum over (j1,j2) of beta Z
//
// One product u1 u2 serves every j of a pair (j1, j2): a group holds the outputs of all j with the
// same mb1 + mb2 and ma1 + ma2.

#ifndef SMAX_SNAP_COUPLING_H
#define SMAX_SNAP_COUPLING_H

namespace smax {
namespace snap {
namespace SNAP_ISA {

static void apply(const Sparse &a, const double *in, double *out)
{
  for (int row = 0; row < a.nrow; row++) {
    vd s = vd{};
    for (int k = a.start[row]; k < a.start[row + 1]; k++) s += a.value[k] * load(in + a.col[k] * W);
    store(out + row * W, s);
  }
}

template <int N> struct Products {
  vd re[N], im[N];
  const uint16_t *pair;
  const double *coef;

  __attribute__((always_inline)) void add(vd xr, vd xi)
  {
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) {
      re[n] += coef[n] * xr;
      im[n] += coef[n] * xi;
    }
    pair += 2;
    coef += N;
  }
};

template <int N>
static void run_groups(const Tables &t, const uint16_t *&pair, const double *&coef, const double *u,
                       double *z)
{
  const Group *end = t.group + t.group_start[N + 1];
  Products<N> p;
  p.pair = pair;
  p.coef = coef;
  for (const Group *g = t.group + t.group_start[N]; g < end; g++) {
    for (int n = 0; n < N; n++) p.re[n] = p.im[n] = vd{};
    for (int k = 0; k < g->nplain; k++) {
      const double *a = u + p.pair[0], *b = u + p.pair[1];
      const vd ar = load(a), ai = load(a + W), br = load(b), bi = load(b + W);
      p.add(ar * br - ai * bi, ar * bi + ai * br);
    }
    for (int k = 0; k < g->nconj; k++) {
      const double *a = u + p.pair[0], *b = u + p.pair[1];
      const vd ar = load(a), ai = load(a + W), br = load(b), bi = load(b + W);
      p.add(ar * br + ai * bi, ai * br - ar * bi);
    }
    for (int n = 0; n < N; n++) {
      store(z + g->out[n], p.re[n]);
      store(z + g->out[n] + W, p.im[n]);
    }
  }
  pair = p.pair;
  coef = p.coef;
}

// NT components of one block from triple `first` on.
template <int NT>
SNAP_INLINE void contract_block(const Tables &t, const Block &b, int first, const double *u,
                                const double *z, double *out)
{
  vd s[NT];
  for (int n = 0; n < NT; n++) s[n] = vd{};
  for (int e = 0; e < b.nelement; e++) {
    const double *ue = u + 2 * W * (b.element + e);
    const double *ze = z + 2 * W * (size_t(b.z) + e * b.ntriple + first);
    const double w = t.weight[b.element + e];
    const vd ur = w * load(ue), ui = w * load(ue + W);
    for (int n = 0; n < NT; n++) s[n] += ur * load(ze + 2 * W * n) + ui * load(ze + 2 * W * n + W);
  }
  for (int n = 0; n < NT; n++) store(out + n * W, s[n]);
}

static void couple(const Tables &t, const double *moments, double *u, double *z, double *b)
{
  apply(t.expand, moments, u);
  for (int e = 0; e < t.nelement; e++)
    if (t.diagonal[e]) store(u + 2 * W * e, load(u + 2 * W * e) + 1.0);

  const uint16_t *pair = t.pair;
  const double *coef = t.coef;
  run_groups<1>(t, pair, coef, u, z);
  run_groups<2>(t, pair, coef, u, z);
  run_groups<3>(t, pair, coef, u, z);
  run_groups<4>(t, pair, coef, u, z);
  run_groups<5>(t, pair, coef, u, z);
#if SNAP_MAX_OUT > 5
  run_groups<6>(t, pair, coef, u, z);
  run_groups<7>(t, pair, coef, u, z);
  run_groups<8>(t, pair, coef, u, z);
#endif

  for (int j = 0; j <= t.twojmax; j++) {
    const Block &block = t.block[j];
    int first = 0;
    for (; first + 3 < block.nbs; first += 4, b += 4 * W)
      contract_block<4>(t, block, first, u, z, b);
    for (; first < block.nbs; first++, b += W) contract_block<1>(t, block, first, u, z, b);
  }
}

static void adjoint(const Tables &t, const double *beta, const double *z, double *y,
                    double *dmoments)
{
  double *ye = y;
  for (int j = 0; j <= t.twojmax; j++) {
    const Block &block = t.block[j];
    const double *bj = beta + block.triple * W;
    for (int e = 0; e < block.nelement; e++, ye += 2 * W) {
      vd re = vd{}, im = vd{};
      for (int n = 0; n < block.ntriple; n++, z += 2 * W) {
        const vd bn = load(bj + n * W);
        re += bn * load(z);
        im += bn * load(z + W);
      }
      store(ye, re);
      store(ye + W, im);
    }
  }
  apply(t.gather, y, dmoments);
}

}    // namespace SNAP_ISA
}    // namespace snap
}    // namespace smax

#endif
