#include "grace_model.h"

#include "grace_kernel.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

using namespace smax;

namespace {

constexpr int MOST = 1 << 16;    // of anything that is counted
constexpr int MOST_CHANNELS = 4096;
constexpr size_t MOST_VALUES = 1 << 22;    // of all tensors of one atom
constexpr double LONGEST = 1000.0;         // cutoff, Angstrom

void require(bool good, const std::string &what)
{
  if (!good) throw std::runtime_error(what);
}

void size_is(const std::vector<double> &v, size_t size, const std::string &name)
{
  require(v.size() == size,
          name + " has " + std::to_string(v.size()) + " numbers, expected " + std::to_string(size));
  for (double x : v) require(std::isfinite(x), name + " holds a number that is not finite");
}

void count_is(int n, int low, int high, const std::string &name)
{
  require(n >= low && n <= high, name + " is " + std::to_string(n) + ", expected " +
                                     std::to_string(low) + " to " + std::to_string(high));
}

void below(const std::vector<int> &v, int limit, const std::string &name)
{
  for (int i : v)
    require(i >= 0 && i < limit, name + " holds the index " + std::to_string(i) +
                                     ", expected 0 to " + std::to_string(limit - 1));
}

struct Extent {
  int nout, channels;
};

void check_connect(const GraceStep &s, const Extent &left, const Extent &right)
{
  require(s.nout == left.nout, s.name + " has other functions than its left tensor");
  require(int(s.group.size()) == s.nout, s.name + ".group does not name every function");
  require(s.to.size() == s.from.size() && s.to.size() == s.pair.size(),
          s.name + ".to, .from and .pair differ in length");
  const size_t one_left = size_t(left.channels) * s.channels;
  const size_t one_right = size_t(right.channels) * s.channels;
  require(s.left_weight.size() % one_left == 0, s.name + ".left has the wrong size");
  require(s.right_weight.size() % one_right == 0, s.name + ".right has the wrong size");
  size_is(s.left_weight, s.left_weight.size(), s.name + ".left");
  size_is(s.right_weight, s.right_weight.size(), s.name + ".right");
  below(s.group, int(s.left_weight.size() / one_left), s.name + ".group");
  below(s.pair, int(s.right_weight.size() / one_right), s.name + ".pair");
  below(s.to, s.nout, s.name + ".to");
  below(s.from, right.nout, s.name + ".from");
}

void check_product(const GraceStep &s, const Extent &left, const Extent &right)
{
  require(left.channels == right.channels && s.channels == left.channels,
          s.name + " multiplies tensors of different channels");
  require(s.a.size() == s.b.size() && s.a.size() == s.target.size(),
          s.name + ".left, .right and .out differ in length");
  size_is(s.coef, s.a.size(), s.name + ".cg");
  below(s.a, left.nout, s.name + ".left");
  below(s.b, right.nout, s.name + ".right");
  below(s.target, s.nout, s.name + ".out");
}

}    // namespace

double GraceModel::max_cutoff() const
{
  double most = 0.0;
  for (double c : cutoff) most = std::max(most, c);
  for (double c : zbl_cutoff) most = std::max(most, c);
  return most;
}

void GraceModel::check() const
{
  const int ne = int(elements.size());
  count_is(ne, 1, 200, "the number of elements");
  count_is(lmax, 0, grace::MAX_L, "lmax");
  count_is(channels, 1, MOST_CHANNELS, "the number of channels");
  count_is(basis_size, 1, 1000, "basis_size");
  count_is(cutoff_power, 2, 1000, "cutoff_power");
  size_is(cutoff, size_t(ne) * ne, "cutoff");
  for (double c : cutoff) require(c > 0.0 && c < LONGEST, "a cutoff is not between 0 and 1000");

  count_is(int(hidden.size()), 1, 100, "the number of radial layers");
  require(radial.size() == hidden.size(), "radial layers and their widths differ in number");
  for (size_t i = 0, in = basis_size; i < hidden.size(); in = hidden[i++]) {
    count_is(hidden[i], 1, MOST, "the width of a radial layer");
    size_is(radial[i], in * hidden[i], "radial." + std::to_string(i));
  }
  size_is(radial_out, size_t(lmax + 1) * hidden.back() * channels, "radial.out");
  size_is(indicator, size_t(ne) * channels, "indicator");
  size_is(inverse_neighbours, ne, "inverse_neighbours");

  std::vector<Extent> tensors = {{(lmax + 1) * (lmax + 1), channels}};
  size_t values = size_t(tensors[0].nout) * grace::padded(channels);
  for (const GraceStep &s : steps) {
    const int known = int(tensors.size());
    require(s.left >= 0 && s.left < known && s.right >= 0 && s.right < known,
            s.name + " uses a tensor that is not made before it");
    count_is(s.channels, 1, MOST_CHANNELS, "the number of channels of " + s.name);
    count_is(s.nout, 1, MOST, "the number of functions of " + s.name);
    const auto check_step = s.kind == GraceStep::Kind::Connect ? check_connect : check_product;
    check_step(s, tensors[s.left], tensors[s.right]);
    tensors.push_back({s.nout, s.channels});
    values += size_t(s.nout) * grace::padded(s.channels);
    require(values <= MOST_VALUES, s.name + " makes the tensors of an atom too large");
  }

  count_is(density, 2, MOST, "the number of densities");
  for (const GraceReduce &r : reduce) {
    require(r.tensor >= 0 && r.tensor < int(tensors.size()), "a density of an unknown tensor");
    const Extent &t = tensors[r.tensor];
    below(r.function, t.nout, "a density's functions");
    size_is(r.weight, size_t(ne) * r.function.size() * t.channels * density, "a density's weight");
  }
  count_is(energy_hidden, 1, MOST, "the width of the readout");
  size_is(energy_in, size_t(density - 1) * energy_hidden, "energy.0");
  size_is(energy_out, energy_hidden, "energy.1");
  size_is(shift, ne, "shift");
  require(std::isfinite(scale), "scale is not finite");
  if (!zbl) return;
  size_is(zbl_cutoff, size_t(ne) * ne, "zbl.cutoff");
  for (double c : zbl_cutoff) require(c < LONGEST, "a ZBL cutoff is not below 1000");
  size_is(zbl_number, ne, "zbl.number");
  for (double z : zbl_number) require(z > 0.0 && z < 1000.0, "zbl.number is not above 0");
  require(zbl_width > 0.0 && std::isfinite(zbl_width), "zbl.width is not above 0");
}
