// make_candidate(): the draws, in the order of the recipe.

#include "cell.h"
#include "recipe.h"
#include "rng.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

using namespace smax;

namespace {

constexpr double PI = 3.14159265358979323846;
constexpr int MAX_TRIES = 100000;
constexpr double FLATTEST = 0.01;    // (volume / abc)^2 of the flattest cell drawn

[[noreturn]] void impossible(const std::string &what)
{
  throw std::runtime_error("recipe gives no candidate: " + what);
}

// weights of 1..size with everything outside lo..hi struck out
std::vector<double> restricted_to(std::vector<double> weights, int lo, int hi)
{
  if (int(weights.size()) > hi) weights.resize(std::max(hi, 0));
  std::fill_n(weights.begin(), std::min(size_t(std::max(lo - 1, 0)), weights.size()), 0.0);
  return weights;
}

int first_nonzero(const std::vector<double> &weights)
{
  return 1 + int(std::find_if(weights.begin(), weights.end(), [](double w) { return w > 0.0; }) -
                 weights.begin());
}

// whole multiples of the formula unit, by the table of atom counts; the unit itself if it has none
std::vector<int> fixed_composition(const Recipe &recipe, Rng &rng)
{
  int unit = 0;
  for (const auto &[z, count] : recipe.fixed) unit += count;
  std::vector<double> multiples;
  for (size_t n = unit; n <= recipe.natoms.size(); n += unit)
    multiples.push_back(recipe.natoms[n - 1]);
  const int repeat = std::max(1, rng.pick(multiples) + 1);
  std::vector<int> out;
  for (const auto &[z, count] : recipe.fixed) out.insert(out.end(), size_t(repeat) * count, z);
  return out;
}

// k different elements, one after another in proportion to their weights
std::vector<int> draw_elements(const Recipe &recipe, int k, Rng &rng)
{
  std::vector<double> weights(recipe.weight, recipe.weight + MAX_Z + 1);
  weights[0] = 0.0;
  std::vector<int> out;
  while (int(out.size()) < k) {
    out.push_back(rng.pick(weights));
    weights[out.back()] = 0.0;
  }
  return out;
}

// Uniform over the compositions of n into k parts >= 1: k-1 of the n-1 gaps between atoms are cuts.
std::vector<int> share_out(const std::vector<int> &elements, int n, Rng &rng)
{
  std::vector<int> out;
  size_t element = 0;
  for (int i = 0; i < n; i++) {
    out.push_back(elements[element]);
    const size_t cuts = elements.size() - 1 - element, gaps = n - 1 - i;
    if (rng.uniform() * double(gaps) < double(cuts)) element++;
  }
  return out;
}

std::vector<int> random_composition(const Recipe &recipe, Rng &rng)
{
  const int available = int(std::count_if(recipe.weight + 1, recipe.weight + MAX_Z + 1,
                                          [](double w) { return w > 0.0; }));
  const int fewest = first_nonzero(recipe.nelements);
  const int n = rng.pick(restricted_to(recipe.natoms, fewest, int(recipe.natoms.size()))) + 1;
  const int k = rng.pick(restricted_to(recipe.nelements, 1, std::min(n, available))) + 1;
  if (n < 1 || k < 1) impossible("elements, nelements and natoms allow no composition");
  return share_out(draw_elements(recipe, k, rng), n, rng);
}

// rows a, b, c of the drawn shape and angles, volume not yet set
void draw_shape(const Recipe &recipe, Rng &rng, double cell[3][3])
{
  double edge[3], cosine[3];
  const std::vector<double> &shape = recipe.shapes[rng.below(int(recipe.shapes.size()))];
  for (int k = 0; k < 3; k++) edge[k] = shape[k] + rng.uniform();
  double squared = 0.0;
  for (int attempt = 0; attempt < MAX_TRIES && squared < FLATTEST; attempt++) {
    for (double &c : cosine)
      c = std::cos(rng.uniform(recipe.angle_lo, recipe.angle_hi) * PI / 180.0);
    squared = 1.0 + 2.0 * cosine[0] * cosine[1] * cosine[2] - dot(cosine, cosine);
  }
  if (squared < FLATTEST) impossible("no three angles drawn close a cell");
  const double sine = std::sqrt(1.0 - cosine[2] * cosine[2]);
  const double out[3][3] = {{edge[0], 0.0, 0.0},
                            {edge[1] * cosine[2], edge[1] * sine, 0.0},
                            {edge[2] * cosine[1],
                             edge[2] * (cosine[0] - cosine[1] * cosine[2]) / sine,
                             edge[2] * std::sqrt(squared) / sine}};
  for (int i = 0; i < 3; i++) std::copy(out[i], out[i] + 3, cell[i]);
}

}    // namespace

Candidate smax::make_candidate(const Recipe &recipe, uint64_t seed, uint64_t index, int placement)
{
  Rng rng(seed, index);
  Candidate out;
  out.z = recipe.fixed.empty() ? random_composition(recipe, rng) : fixed_composition(recipe, rng);

  double spheres = 0.0;    // sum of 4/3 pi r^3
  for (int z : out.z) {
    const double u = rng.beta(recipe.beta_a, recipe.beta_b);
    const double r = recipe.radius[z] * (1.0 + 2.0 * recipe.width * (u - 0.5));
    out.radius.push_back(r);
    spheres += 4.0 / 3.0 * PI * r * r * r;
  }
  const double volume = spheres * rng.uniform(recipe.volume_lo, recipe.volume_hi);

  double cell[3][3], h[3][3], rotation[3][3];
  draw_shape(recipe, rng, cell);
  const double scale = std::cbrt(volume / (cell[0][0] * cell[1][1] * cell[2][2]));
  for (auto &row : cell)
    for (double &v : row) v *= scale;
  reduce_lattice(cell, h, rotation);
  out.lx = h[0][0], out.xy = h[1][0], out.ly = h[1][1];
  out.xz = h[2][0], out.yz = h[2][1], out.lz = h[2][2];

  for (size_t skip = 3 * out.z.size() * size_t(placement); skip > 0; skip--) rng.uniform();
  for (size_t i = 0; i < out.z.size(); i++) {
    const double s[3] = {rng.uniform(), rng.uniform(), rng.uniform()};
    double x[3];
    for (int k = 0; k < 3; k++) x[k] = s[0] * h[0][k] + s[1] * h[1][k] + s[2] * h[2][k];
    wrap_into(h, x);
    out.x.insert(out.x.end(), x, x + 3);
  }
  return out;
}
