#include "rng.h"

#include <cmath>

using namespace smax;

namespace {

// splitmix64 (Steele, Lea & Flood 2014): a bijection of 64 bits without visible structure
uint64_t mix(uint64_t x)
{
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}    // namespace

// one-to-one in index at a given seed, so no two candidates of a run share a stream
Rng::Rng(uint64_t seed, uint64_t index) : engine(mix(mix(seed) + index)) {}

double Rng::uniform()
{
  return double(engine() >> 11) * 0x1.0p-53;
}

double Rng::uniform(double lo, double hi)
{
  return lo + (hi - lo) * uniform();
}

int Rng::below(int n)
{
  return int(uniform() * n);
}

// Marsaglia's polar method; the second variate is dropped to keep no state
double Rng::normal()
{
  for (;;) {
    const double u = uniform(-1.0, 1.0), v = uniform(-1.0, 1.0);
    const double s = u * u + v * v;
    if (s > 0.0 && s < 1.0) return u * std::sqrt(-2.0 * std::log(s) / s);
  }
}

// Marsaglia & Tsang (2000); for a < 1 from Gamma(a+1) U^(1/a), which underflows unless in
// logarithms
double Rng::log_gamma_variate(double a)
{
  if (a < 1.0) {
    const double log_u = std::log1p(-uniform());
    return log_gamma_variate(a + 1.0) + log_u / a;
  }
  const double d = a - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = normal(), t = 1.0 + c * x;
    if (t <= 0.0) continue;
    const double log_v = 3.0 * std::log(t), v = t * t * t;
    if (std::log1p(-uniform()) < 0.5 * x * x + d - d * v + d * log_v) return std::log(d) + log_v;
  }
}

double Rng::beta(double a, double b)
{
  const double log_x = log_gamma_variate(a), log_y = log_gamma_variate(b);
  return 1.0 / (1.0 + std::exp(log_y - log_x));
}

int Rng::pick(const std::vector<double> &weights)
{
  double total = 0.0;
  for (double w : weights) total += w;
  const double target = uniform() * total;
  double sum = 0.0;
  int last = -1;
  for (int i = 0; i < int(weights.size()); i++) {
    if (!(weights[i] > 0.0)) continue;
    last = i;
    sum += weights[i];
    if (target < sum) break;
  }
  return last;
}
