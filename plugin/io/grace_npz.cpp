#include "grace_npz.h"

#include "npz.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>

using namespace smax;

namespace {

constexpr int64_t MOST = 1 << 16;
constexpr const char *FORMAT = "pysmax-grace-native";

// Arrays of one file, with their extents as the model needs them.
class Reader {
 public:
  explicit Reader(const std::string &path) : path(path), z(read_npz(path)) {}

  [[noreturn]] void fail(const std::string &what) const
  {
    throw std::runtime_error(path + ": " + what);
  }

  bool has(const std::string &key) const { return z.count(key) > 0; }
  std::string text(const std::string &key) const { return npz_text(z, key, path); }
  double number(const std::string &key) const { return npz_double(z, key, path); }

  int count(const std::string &key) const
  {
    const int64_t n = npz_int(z, key, path);
    if (n < 0 || n > MOST) fail(key + " is " + std::to_string(n) + ", expected 0 to 65536");
    return int(n);
  }

  // An array of `dims` extents, each between 1 and MOST.
  const NpzArray &array(const std::string &key, char kind, size_t dims) const
  {
    const auto it = z.find(key);
    if (it == z.end()) fail("no key '" + key + "', expected a file with it");
    const NpzArray &a = it->second;
    if (a.kind != kind || a.shape.size() != dims)
      fail("key '" + key + "' is no array of " + std::to_string(dims) + " dimensions of " +
           (kind == 'f' ? "float64" : "int64"));
    for (size_t extent : a.shape)
      if (extent < 1 || extent > size_t(MOST))
        fail("key '" + key + "' has the extent " + std::to_string(extent) +
             ", expected 1 to 65536");
    return a;
  }

  std::vector<double> doubles(const std::string &key, size_t dims) const
  {
    return array(key, 'f', dims).f;
  }

  int extent(const std::string &key, size_t dims, size_t which) const
  {
    return int(array(key, 'f', dims).shape[which]);
  }

  std::vector<int> indices(const std::string &key) const
  {
    std::vector<int> out;
    for (int64_t i : array(key, 'i', 1).i) {
      if (i < 0 || i > MOST) fail(key + " holds the index " + std::to_string(i));
      out.push_back(int(i));
    }
    return out;
  }

 private:
  std::string path;
  Npz z;
};

void read_basis(const Reader &r, GraceModel &m)
{
  m.lmax = r.count("lmax");
  m.basis_size = r.count("basis_size");
  m.cutoff_power = r.count("cutoff_power");
  m.cutoff = r.doubles("cutoff", 2);
  const int layers = r.count("radial_layers");
  for (int i = 0; i < layers; i++) {
    const std::string key = "radial." + std::to_string(i);
    m.hidden.push_back(r.extent(key, 2, 1));
    m.radial.push_back(r.doubles(key, 2));
  }
  m.radial_out = r.doubles("radial.out", 3);
  m.channels = r.extent("radial.out", 3, 2);
  m.indicator = r.doubles("indicator", 2);
  m.inverse_neighbours = r.doubles("inverse_neighbours", 1);
}

GraceStep read_connection(const Reader &r, const std::string &name)
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

GraceStep read_product(const Reader &r, const std::string &name, int channels)
{
  GraceStep s;
  s.kind = GraceStep::Kind::Product;
  s.a = r.indices(name + ".left");
  s.b = r.indices(name + ".right");
  s.target = r.indices(name + ".out");
  s.coef = r.doubles(name + ".cg", 1);
  s.nout = 1 + *std::max_element(s.target.begin(), s.target.end());
  s.channels = channels;
  return s;
}

// Lines "basis A", "fc NAME LEFT RIGHT", "product NAME LEFT RIGHT", "reduce NAME TENSORS..."
class Graph {
 public:
  Graph(const Reader &r, GraceModel &m) : r(r), m(m) {}

  void read()
  {
    std::istringstream lines(r.text("graph"));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string kind, name;
      words >> kind >> name;
      if (kind == "basis" && tensors.empty() && !name.empty())
        tensors[name] = 0;
      else if (kind == "fc" || kind == "product")
        step(kind, name, words);
      else if (kind == "reduce" && m.reduce.empty())
        reduce(name, words);
      else
        r.fail("the graph has a line '" + line.substr(0, 60) +
               "', expected basis, fc, product or reduce");
    }
  }

 private:
  const Reader &r;
  GraceModel &m;
  std::map<std::string, int> tensors;

  int tensor(const std::string &name) const
  {
    const auto it = tensors.find(name);
    if (it == tensors.end())
      r.fail("the graph uses '" + name.substr(0, 60) + "' before it is made");
    return it->second;
  }

  int channels(int t) const { return t ? m.steps[t - 1].channels : m.channels; }

  void step(const std::string &kind, const std::string &name, std::istringstream &words)
  {
    std::string left, right;
    words >> left >> right;
    const int l = tensor(left), t = tensor(right);
    if (tensors.count(name)) r.fail("the graph makes '" + name.substr(0, 60) + "' twice");
    GraceStep s = kind == "fc" ? read_connection(r, name) : read_product(r, name, channels(l));
    s.name = name;
    s.left = l;
    s.right = t;
    m.steps.push_back(std::move(s));
    tensors[name] = int(m.steps.size());
  }

  void reduce(const std::string &name, std::istringstream &words)
  {
    for (std::string from; words >> from;) {
      const std::string key = name + "." + from;
      GraceReduce q;
      q.tensor = tensor(from);
      q.function = r.indices(key + ".function");
      q.weight = r.doubles(key + ".weight", 4);
      const int n = r.extent(key + ".weight", 4, 3);
      if (m.density && m.density != n) r.fail(key + ".weight gives another number of densities");
      m.density = n;
      m.reduce.push_back(std::move(q));
    }
  }
};

}    // namespace

GraceModel smax::read_grace_model(const std::string &path)
{
  const Reader r(path);
  if (!r.has("format") || r.text("format") != FORMAT)
    r.fail("is no model written for grace/native, expected the format " + std::string(FORMAT));
  if (r.count("version") != 1)
    r.fail("is of version " + std::to_string(r.count("version")) + ", expected 1");
  GraceModel m;
  std::istringstream names(r.text("elements"));
  for (std::string e; names >> e;) m.elements.push_back(e);
  read_basis(r, m);
  Graph(r, m).read();
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
  }
  try {
    m.check();
  } catch (std::exception &e) {
    r.fail(e.what());
  }
  return m;
}
