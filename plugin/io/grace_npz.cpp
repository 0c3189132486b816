#include "grace_npz.h"

#include "grace_arrays.h"
#include "grace_kernel.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>

using namespace smax;

namespace {

constexpr const char *FORMAT = "pysmax-grace-native";

// Keys of the second layer begin with `prefix`.
void read_radial(const GraceArrays &r, const std::string &prefix, GraceLayer &layer)
{
  layer.lmax = r.count(prefix + "lmax");
  const int layers = r.count(prefix + "radial_layers");
  for (int i = 0; i < layers; i++) {
    const std::string key = prefix + "radial." + std::to_string(i);
    layer.hidden.push_back(r.extent(key, 2, 1));
    layer.radial.push_back(r.doubles(key, 2));
  }
  layer.radial_out = r.doubles(prefix + "radial.out", 3);
  layer.channels = r.extent(prefix + "radial.out", 3, 2);
  layer.indicator = r.doubles(prefix + "indicator", 2);
  layer.inverse_neighbours = r.doubles(prefix + "inverse_neighbours", 1);
}

GraceStep read_connection(const GraceArrays &r, const std::string &name)
{
  GraceStep s;
  s.kind = GraceStep::Kind::Connect;
  s.left_weight = r.doubles(name + ".left", 3);
  s.right_weight = r.doubles(name + ".right", 3);
  s.channels = r.extent(name + ".left", 3, 2);
  if (r.extent(name + ".right", 3, 2) != s.channels)
    r.fail(name + ".left and .right give different numbers of channels");
  s.group = r.indices(name + ".group");
  s.nout = int(s.group.size());
  s.to = r.indices(name + ".to");
  s.from = r.indices(name + ".from");
  s.pair = r.indices(name + ".pair");
  return s;
}

// A product, or a coupling: by channel
GraceStep read_product(const GraceArrays &r, const std::string &name, GraceStep::Kind kind,
                       int channels)
{
  GraceStep s;
  s.kind = kind;
  s.a = r.indices(name + ".left");
  s.b = r.indices(name + ".right");
  s.target = r.indices(name + ".out");
  s.coef = r.doubles(name + ".cg", 1);
  s.nout = 1 + *std::max_element(s.target.begin(), s.target.end());
  s.channels = channels;
  return s;
}

// Lines of a layer: "basis A", "fc NAME LEFT RIGHT", "product NAME LEFT RIGHT", "couple NAME",
// "collect NAME TENSORS...", "reduce NAME TENSORS..." (the densities), "norm DENSITIES full" or
// "only_nonlin" (all but the first), "message TENSOR"
class Graph {
 public:
  Graph(const GraceArrays &r, GraceModel &m, size_t layer) : r(r), m(m), layer(m.layers[layer])
  {
    told = layer ? m.message_functions() : 0;
  }

  void read(const std::string &key)
  {
    std::istringstream lines(r.text(key));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string kind, name;
      words >> kind >> name;
      if (kind == "basis" && tensors.empty() && !name.empty())
        tensors[name] = 0;
      else if (kind == "message" && &layer == &m.layers[0] && m.message == 0)
        m.message = tensor(name);
      else if (kind == "norm" && layer.density && tensor(name) == layer.density)
        norm(name, words);
      else if (!step(kind, name, words))
        r.fail("the graph has a line '" + line.substr(0, 60) +
               "', expected basis, fc, product, couple, collect, reduce, norm or message");
    }
  }

 private:
  const GraceArrays &r;
  GraceModel &m;
  GraceLayer &layer;
  int told;    // functions that neighbours tell
  std::map<std::string, int> tensors;

  int tensor(const std::string &name) const
  {
    const auto it = tensors.find(name);
    if (it == tensors.end())
      r.fail("the graph uses '" + name.substr(0, 60) + "' before it is made");
    return it->second;
  }

  bool step(const std::string &kind, const std::string &name, std::istringstream &words)
  {
    GraceStep s;
    if (kind == "fc" || kind == "product") {
      std::string left, right;
      words >> left >> right;
      const int l = tensor(left), t = tensor(right);
      if (told && (l == 0 || t == 0))
        r.fail(name.substr(0, 60) + " uses the second layer's basis, expected it to be collected");
      s = kind == "fc" ? read_connection(r, name)
                       : read_product(r, name, GraceStep::Kind::Product, layer.tensor_channels(l));
      s.left = l;
      s.right = t;
    } else if (kind == "couple" && told) {
      s = read_product(r, name, GraceStep::Kind::Couple, layer.channels);
    } else if (kind == "collect" || (kind == "reduce" && layer.density == 0)) {
      s = collection(kind == "reduce", name, words);
    } else {
      return false;
    }
    if (tensors.count(name)) r.fail("the graph makes '" + name.substr(0, 60) + "' twice");
    s.name = name;
    layer.steps.push_back(std::move(s));
    tensors[name] = int(layer.steps.size());
    if (kind == "reduce") density();
    return true;
  }

  GraceStep collection(bool reduce, const std::string &name, std::istringstream &words)
  {
    GraceStep s;
    s.kind = GraceStep::Kind::Collect;
    s.nout = reduce ? 1 : r.count(name + ".functions");
    for (std::string from; words >> from;) {
      const std::string key = name + "." + from;
      const int n = r.extent(key + ".weight", 4, 3);
      if (!s.sources.empty() && s.channels != n)
        r.fail(key + ".weight gives another number of channels");
      s.channels = n;
      s.sources.push_back(reduce ? invariants(key) : functions(key));
      s.sources.back().tensor = tensor(from);
      if (told && s.sources.back().tensor == 0) after_told(key, s.sources.back().from);
    }
    if (s.sources.empty()) r.fail("the graph makes '" + name.substr(0, 60) + "' of nothing");
    return s;
  }

  // The indicator comes after what is told.
  void after_told(const std::string &key, std::vector<int> &harmonics) const
  {
    constexpr int most = (grace::MAX_L + 1) * (grace::MAX_L + 1);
    for (int &f : harmonics) {
      if (f >= most)
        r.fail(key + " holds the index " + std::to_string(f) + ", expected 0 to " +
               std::to_string(most - 1));
      f = f * (told + 1) + told;
    }
  }

  GraceSource functions(const std::string &key) const
  {
    GraceSource q;
    q.from = r.indices(key + ".from");
    q.to = r.indices(key + ".to");
    q.pair = r.indices(key + ".pair");
    q.weight = r.doubles(key + ".weight", 4);
    q.elements = r.extent(key + ".weight", 4, 0);
    return q;
  }

  // Each function has a weight of its own.
  GraceSource invariants(const std::string &key) const
  {
    GraceSource q;
    q.from = r.indices(key + ".function");
    q.to.assign(q.from.size(), 0);
    for (size_t f = 0; f < q.from.size(); f++) q.pair.push_back(int(f));
    q.weight = r.doubles(key + ".weight", 4);
    q.elements = r.extent(key + ".weight", 4, 0);
    if (r.extent(key + ".weight", 4, 1) != int(q.from.size()))
      r.fail(key + ".weight and .function differ in length");
    return q;
  }

  void density()
  {
    layer.density = int(layer.steps.size());
    if (m.density == 0) m.density = layer.steps.back().channels;
  }

  void norm(const std::string &name, std::istringstream &words)
  {
    std::string kind;
    words >> kind;
    if (kind != "full" && kind != "only_nonlin")
      r.fail("the graph has a norm '" + kind.substr(0, 60) + "', expected full or only_nonlin");
    layer.norm = r.doubles(name + ".norm", 1);
    const int n = m.density - (kind == "full" ? 0 : 1), found = int(layer.norm.size());
    if (found != n)
      r.fail(name + ".norm has " + std::to_string(found) + " numbers, expected " +
             std::to_string(n));
  }
};

GraceModel::Activation activation(const GraceArrays &r)
{
  const std::string name = r.text("energy.activation");
  if (name == "tanh") return GraceModel::Activation::Tanh;
  if (name == "silu") return GraceModel::Activation::Silu;
  r.fail("energy.activation is '" + name.substr(0, 60) + "', expected silu or tanh");
}

}    // namespace

GraceModel smax::read_grace_model(const std::string &path)
{
  const GraceArrays r(path);
  if (!r.has("format") || r.text("format") != FORMAT)
    r.fail("is no model written for grace/native, expected the format " + std::string(FORMAT));
  const int layers = r.count("version");    // files of one layer are as they always were
  if (layers < 1 || layers > 2)
    r.fail("is of version " + std::to_string(layers) + ", expected 1 or 2");
  GraceModel m;
  std::istringstream names(r.text("elements"));
  for (std::string e; names >> e;) m.elements.push_back(e);
  m.basis_size = r.count("basis_size");
  m.cutoff_power = r.count("cutoff_power");
  m.cutoff = r.doubles("cutoff", 2);
  m.layers.resize(size_t(layers));
  read_radial(r, "", m.layers[0]);
  Graph(r, m, 0).read("graph");
  if (layers == 2) {
    if (m.message == 0) r.fail("the graph has no message for the second layer");
    read_radial(r, "second.", m.layers[1]);
    Graph(r, m, 1).read("second.graph");
  }
  if (layers == 2 || r.has("energy.activation")) m.activation = activation(r);
  m.energy_in = r.doubles("energy.0", 2);
  m.energy_hidden = r.extent("energy.0", 2, 1);
  m.energy_out = r.doubles("energy.1", 2);
  m.scale = r.number("scale");
  m.shift = r.doubles("shift", 1);
  m.zbl = r.has("zbl.cutoff");
  if (m.zbl) {
    m.zbl_cutoff = r.doubles("zbl.cutoff", 2);
    m.zbl_number = r.doubles("zbl.number", 1);
    m.zbl_width = r.number("zbl.width");
    if (r.has("zbl.coulomb")) m.zbl_coulomb = r.number("zbl.coulomb");
  }
  try {
    m.check();
  } catch (std::exception &e) {
    r.fail(e.what());
  }
  return m;
}
