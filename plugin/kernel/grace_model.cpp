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

void check_couple(const GraceStep &s, int harmonics, int told)
{
  require(s.a.size() == s.b.size() && s.a.size() == s.target.size(),
          s.name + ".left, .right and .out differ in length");
  size_is(s.coef, s.a.size(), s.name + ".cg");
  below(s.a, harmonics, s.name + ".left");
  below(s.b, told, s.name + ".right");
  below(s.target, s.nout, s.name + ".out");
}

void check_source(const GraceStep &s, const GraceSource &q, const Extent &in, int ne)
{
  const std::string name = "a source of " + s.name;
  require(q.from.size() == q.to.size() && q.from.size() == q.pair.size(),
          name + ": .from, .to and .pair differ in length");
  require(q.elements == 1 || q.elements == ne, name + " has weights of another number of elements");
  const size_t one = size_t(in.channels) * s.channels * q.elements;
  require(q.weight.size() % one == 0, name + " has weights of the wrong size");
  size_is(q.weight, q.weight.size(), name);
  below(q.from, in.nout, name + ", .from,");
  below(q.to, s.nout, name + ", .to,");
  below(q.pair, int(q.weight.size() / one), name + ", .pair,");
}

// Of one layer; basis: functions of tensor 0, told: functions that neighbours tell
class LayerCheck {
 public:
  LayerCheck(const GraceModel &m, const GraceLayer &layer, int basis, int told) :
      m(m), layer(layer), told(told), tensors{{basis, layer.channels}},
      values(size_t(basis) * grace::padded(layer.channels))
  {
    require(values <= MOST_VALUES, "the basis of an atom is too large");
  }

  void radial() const
  {
    const size_t ne = m.elements.size();
    count_is(int(layer.hidden.size()), 1, 100, "the number of radial layers");
    require(layer.radial.size() == layer.hidden.size(),
            "radial layers and their widths differ in number");
    for (size_t i = 0, in = m.basis_size; i < layer.hidden.size(); in = layer.hidden[i++]) {
      count_is(layer.hidden[i], 1, MOST, "the width of a radial layer");
      size_is(layer.radial[i], in * layer.hidden[i], "radial." + std::to_string(i));
    }
    size_is(layer.radial_out, size_t(layer.lmax + 1) * layer.hidden.back() * layer.channels,
            "radial.out");
    size_is(layer.indicator, ne * layer.channels, "indicator");
    size_is(layer.inverse_neighbours, ne, "inverse_neighbours");
  }

  void step(const GraceStep &s)
  {
    count_is(s.channels, 1, MOST_CHANNELS, "the number of channels of " + s.name);
    count_is(s.nout, 1, MOST, "the number of functions of " + s.name);
    switch (s.kind) {
      case GraceStep::Kind::Connect:
        check_connect(s, of(s.left, s.name), of(s.right, s.name));
        break;
      case GraceStep::Kind::Product:
        check_product(s, of(s.left, s.name), of(s.right, s.name));
        break;
      case GraceStep::Kind::Couple:
        require(told > 0 && s.channels == layer.channels, s.name + " couples what no one tells");
        check_couple(s, (layer.lmax + 1) * (layer.lmax + 1), told);
        break;
      case GraceStep::Kind::Collect:
        require(!s.sources.empty(), s.name + " collects nothing");
        for (const GraceSource &q : s.sources)
          check_source(s, q, of(q.tensor, s.name), int(m.elements.size()));
    }
    tensors.push_back({s.nout, s.channels});
    values += size_t(s.nout) * grace::padded(s.channels);
    require(values <= MOST_VALUES, s.name + " makes the tensors of an atom too large");
  }

  void density() const
  {
    require(layer.density > 0 && layer.density < int(tensors.size()), "a layer has no densities");
    const Extent &d = tensors[layer.density];
    require(d.nout == 1 && d.channels == m.density, "layers differ in the number of densities");
    const size_t n = layer.norm.size(), all = size_t(m.density);
    if (n && n + 1 != all) size_is(layer.norm, all, "the norm of the densities");
    size_is(layer.norm, n, "the norm of the densities");
  }

 private:
  const GraceModel &m;
  const GraceLayer &layer;
  int told;
  std::vector<Extent> tensors;
  size_t values;

  const Extent &of(int tensor, const std::string &name) const
  {
    require(tensor >= 0 && tensor < int(tensors.size()),
            name + " uses a tensor that is not made before it");
    return tensors[tensor];
  }
};

}    // namespace

int GraceModel::message_functions() const
{
  return layers.size() < 2 ? 0 : layers[0].steps[message - 1].nout;
}

int GraceModel::basis_functions(size_t layer) const
{
  const int l = layers[layer].lmax + 1;
  return l * l * (layer ? message_functions() + 1 : 1);
}

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
  count_is(basis_size, 1, 1000, "basis_size");
  count_is(cutoff_power, 2, 1000, "cutoff_power");
  size_is(cutoff, size_t(ne) * ne, "cutoff");
  for (double c : cutoff) require(c > 0.0 && c < LONGEST, "a cutoff is not between 0 and 1000");

  count_is(int(layers.size()), 1, 2, "the number of layers");
  require(layers.size() == 2 || message == 0, "a message, but no second layer that hears it");
  count_is(density, 2, MOST, "the number of densities");
  for (size_t i = 0; i < layers.size(); i++) {
    const GraceLayer &layer = layers[i];
    count_is(layer.lmax, 0, grace::MAX_L, "lmax");
    count_is(layer.channels, 1, MOST_CHANNELS, "the number of channels");
    if (i) {    // the first layer is known to be sound
      require(message > 0 && message <= int(layers[0].steps.size()),
              "the first layer has no message for the second");
      require(message != layers[0].density, "the message is also the densities");
      require(layers[0].tensor_channels(message) == layer.channels,
              "the message has other channels than the second layer");
      require(size_t(message_functions()) * layer.channels <= size_t(MOST),
              "what an atom tells its neighbours is too large");
    }
    LayerCheck check(*this, layer, basis_functions(i), i ? message_functions() : 0);
    check.radial();
    for (const GraceStep &s : layer.steps) check.step(s);
    check.density();
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
  require(zbl_coulomb > 0.0 && std::isfinite(zbl_coulomb), "zbl.coulomb is not above 0");
  require(zbl_width > 0.0 && std::isfinite(zbl_width), "zbl.width is not above 0");
}
