#include "grace_zbl.h"

#include <cmath>

using namespace smax;
using namespace smax::grace;

namespace {

constexpr double WEIGHT[] = {0.18175, 0.50986, 0.28022, 0.02817};
constexpr double RATE[] = {-3.19980, -0.94229, -0.40290, -0.20162};
constexpr double TINY = 1e-12;    // as the model adds to lengths

// The screening function and its derivatives by x = r / a
struct Screening {
  double f = 0.0, df = 0.0, d2f = 0.0;
  explicit Screening(double x)
  {
    for (int k = 0; k < 4; k++) {
      const double term = WEIGHT[k] * std::exp(RATE[k] * x);
      f += term;
      df += RATE[k] * term;
      d2f += RATE[k] * RATE[k] * term;
    }
  }
};

}    // namespace

Zbl::Zbl(const GraceModel &m) : ne(int(m.elements.size()))
{
  if (!m.zbl) return;
  pairs.resize(size_t(ne) * ne);
  for (int i = 0; i < ne; i++)
    for (int j = 0; j < ne; j++) {
      Pair &p = pairs[size_t(i) * ne + j];
      const double zi = m.zbl_number[i], zj = m.zbl_number[j], w = m.zbl_width;
      p.cutoff = m.zbl_cutoff[size_t(i) * ne + j];
      if (p.cutoff <= 0.0) continue;
      p.inner = p.cutoff - w;
      p.a = 0.46850 / (std::pow(zi, 0.23) + std::pow(zj, 0.23));
      p.charge = 0.5 * m.zbl_coulomb * zi * zj;
      const double r = p.cutoff;
      const Screening s(r / p.a);
      const double e = s.f / (r + TINY);
      const double de = -s.f / (r * r + TINY) + s.df / (p.a * (r + TINY));
      const double d2e = 2.0 * s.f / (r * r * r + TINY) - 2.0 * s.df / (p.a * (r * r + TINY)) +
                         s.d2f / (p.a * p.a * (r + TINY));
      p.A = (-3.0 * de + w * d2e) / (w * w);
      p.B = (2.0 * de - w * d2e) / (w * w * w);
      p.C = -e + 0.5 * w * de - w * w * d2e / 12.0;
    }
}

void Zbl::add(const GraceBonds &bonds, double *energy, double *gx, double *gy, double *gz) const
{
  if (pairs.empty()) return;
  for (int i = 0; i < bonds.natoms; i++)
    for (int b = bonds.first[i]; b < bonds.first[i + 1]; b++) {
      const Pair &p = pairs[size_t(bonds.element[i]) * ne + bonds.neighbour[b]];
      const double x = bonds.dx[b], y = bonds.dy[b], z = bonds.dz[b];
      const double r = std::sqrt(x * x + y * y + z * z + 1e-10);
      if (r > p.cutoff) continue;
      const Screening s(r / p.a);
      const double t = std::max(r - p.inner, 0.0);
      energy[i] += p.charge * (s.f / (r + TINY) + t * t * t * (p.A / 3.0 + p.B / 4.0 * t) + p.C);
      const double slope =
          -s.f / ((r + TINY) * (r + TINY)) + s.df / (p.a * (r + TINY)) + t * t * (p.A + p.B * t);
      const double g = p.charge * slope / r;
      gx[b] += g * x;
      gy[b] += g * y;
      gz[b] += g * z;
    }
}
