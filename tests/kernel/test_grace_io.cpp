// Files of native GRACE models: what is written is read, what is damaged is refused by one
// sentence. Exit status 1 on failure.

#include "grace_npz.h"
#include "grace_plain_loops.h"
#include "npz.h"

#include <cstdio>
#include <functional>
#include <limits>
#include <stdexcept>
#include <unistd.h>

using namespace smax;
using namespace synthetic;

namespace {

int failures = 0;

void check(const std::string &what, bool ok)
{
  if (!ok) failures++;
  std::printf("%-4s %s\n", ok ? "ok" : "FAIL", what.c_str());
}

NpzArray doubles(const std::vector<double> &v, std::vector<size_t> shape)
{
  return NpzArray::of(v, std::move(shape));
}

NpzArray ints(const std::vector<int> &v)
{
  NpzArray a;
  a.kind = 'i';
  a.shape = {v.size()};
  a.i.assign(v.begin(), v.end());
  return a;
}

// The names that read_grace_model gives back to the tensors.
std::string name_of(const GraceLayer &layer, int tensor)
{
  return tensor ? layer.steps[tensor - 1].name : "A";
}

void put_sources(Npz &z, const GraceLayer &layer, const GraceStep &s, int told, std::string &line)
{
  const bool reduce = s.nout == 1 && s.name.compare(0, 3, "rho") == 0;
  line = (reduce ? "reduce " : "collect ") + s.name;
  if (!reduce) z[s.name + ".functions"] = NpzArray::of(int64_t(s.nout));
  for (const GraceSource &q : s.sources) {
    line += " " + name_of(layer, q.tensor);
    const std::string key = s.name + "." + name_of(layer, q.tensor);
    const size_t n = layer.tensor_channels(q.tensor), e = q.elements, k = s.channels;
    std::vector<int> from = q.from;
    if (told && q.tensor == 0)    // a file counts harmonics alone
      for (int &f : from) f /= told + 1;
    z[key + (reduce ? ".function" : ".from")] = ints(from);
    z[key + ".weight"] = doubles(q.weight, {e, q.weight.size() / e / n / k, n, k});
    if (reduce) continue;
    z[key + ".to"] = ints(q.to);
    z[key + ".pair"] = ints(q.pair);
  }
}

// Returns the line of the graph.
std::string put_step(Npz &z, const GraceLayer &layer, const GraceStep &s, int told)
{
  const std::string of = name_of(layer, s.left) + " " + name_of(layer, s.right);
  if (s.kind == GraceStep::Kind::Collect) {
    std::string line;
    put_sources(z, layer, s, told, line);
    return line;
  }
  if (s.kind == GraceStep::Kind::Connect) {
    const size_t n = s.channels;
    const size_t left = layer.tensor_channels(s.left), right = layer.tensor_channels(s.right);
    z[s.name + ".left"] = doubles(s.left_weight, {s.left_weight.size() / left / n, left, n});
    z[s.name + ".right"] = doubles(s.right_weight, {s.right_weight.size() / right / n, right, n});
    z[s.name + ".group"] = ints(s.group);
    z[s.name + ".to"] = ints(s.to);
    z[s.name + ".from"] = ints(s.from);
    z[s.name + ".pair"] = ints(s.pair);
    return "fc " + s.name + " " + of;
  }
  z[s.name + ".left"] = ints(s.a);
  z[s.name + ".right"] = ints(s.b);
  z[s.name + ".out"] = ints(s.target);
  z[s.name + ".cg"] = doubles(s.coef, {s.coef.size()});
  return s.kind == GraceStep::Kind::Couple ? "couple " + s.name : "product " + s.name + " " + of;
}

void put_layer(Npz &z, const GraceModel &m, size_t which)
{
  const GraceLayer &layer = m.layers[which];
  const std::string prefix = which ? "second." : "";
  const size_t ne = m.elements.size(), n = layer.channels;
  z[prefix + "lmax"] = NpzArray::of(int64_t(layer.lmax));
  z[prefix + "radial_layers"] = NpzArray::of(int64_t(layer.hidden.size()));
  for (size_t i = 0; i < layer.hidden.size(); i++)
    z[prefix + "radial." + std::to_string(i)] = doubles(
        layer.radial[i], {layer.radial[i].size() / layer.hidden[i], size_t(layer.hidden[i])});
  z[prefix + "radial.out"] =
      doubles(layer.radial_out, {size_t(layer.lmax + 1), size_t(layer.hidden.back()), n});
  z[prefix + "indicator"] = doubles(layer.indicator, {ne, n});
  z[prefix + "inverse_neighbours"] = doubles(layer.inverse_neighbours, {ne});
  std::string graph = "basis A\n";
  for (const GraceStep &s : layer.steps)
    graph += put_step(z, layer, s, which ? m.message_functions() : 0) + "\n";
  if (which == 0 && m.message) graph += "message " + name_of(layer, m.message) + "\n";
  if (!layer.norm.empty()) {
    const std::string name = name_of(layer, layer.density);
    const bool full = layer.norm.size() == size_t(m.density);
    graph += "norm " + name + (full ? " full\n" : " only_nonlin\n");
    z[name + ".norm"] = doubles(layer.norm, {layer.norm.size()});
  }
  z[prefix + "graph"] = NpzArray::of(graph);
}

Npz arrays_of(const GraceModel &m)
{
  Npz z;
  const size_t ne = m.elements.size();
  z["format"] = NpzArray::of(std::string("pysmax-grace-native"));
  z["version"] = NpzArray::of(int64_t(m.layers.size()));
  std::string elements;
  for (const auto &e : m.elements) elements += (elements.empty() ? "" : " ") + e;
  z["elements"] = NpzArray::of(elements);
  z["basis_size"] = NpzArray::of(int64_t(m.basis_size));
  z["cutoff_power"] = NpzArray::of(int64_t(m.cutoff_power));
  z["cutoff"] = doubles(m.cutoff, {ne, ne});
  for (size_t i = 0; i < m.layers.size(); i++) put_layer(z, m, i);
  z["energy.0"] = doubles(m.energy_in, {size_t(m.density - 1), size_t(m.energy_hidden)});
  z["energy.1"] = doubles(m.energy_out, {size_t(m.energy_hidden), 1});
  if (m.activation == GraceModel::Activation::Tanh)
    z["energy.activation"] = NpzArray::of(std::string("tanh"));
  z["scale"] = NpzArray::of(m.scale);
  z["shift"] = doubles(m.shift, {ne});
  return z;
}

std::string path()
{
  return "/tmp/test_grace_io." + std::to_string(getpid()) + ".npz";
}

GraceModel through_file(const Npz &z)
{
  write_npz(path(), z);
  return read_grace_model(path());
}

void refused(const std::string &what, const Npz &good, const std::function<void(Npz &)> &damage,
             const std::string &word)
{
  Npz z = good;
  damage(z);
  std::string said;
  try {
    GraceEvaluator ev(through_file(z));
  } catch (const std::runtime_error &e) {
    said = e.what();
  }
  check("refused: " + what + ": " + said, !said.empty() && said.find(word) != std::string::npos &&
                                              said.find('\n') == std::string::npos);
}

// Weights that no function uses, and functions of the last products that no density uses, do no
// harm.
bool may_hold_more(const std::string &key)
{
  for (const char *known : {"A1.left", "A1.right", "AA1.left", "AA1.right", "AA2.left", "AA2.right",
                            "AAA.out", "AAAA.out", "B1.left", "B1.right", "BB1.left", "BB1.right",
                            "BBB.out", "YI.out", "I1.functions", "I.functions", "B.functions"})
    if (key == known) return true;
  return false;
}

void test_sizes(const Npz &good, const Npz &two)
{
  const std::string large = "too large";
  refused(
      "tensors that fill the memory", good,
      [](Npz &z) {
        const size_t n = 4096, l = 3, h = z["radial.out"].shape[1];
        z["radial.out"] = doubles(std::vector<double>(l * h * n, 0.0), {l, h, n});
        z["indicator"] = doubles(std::vector<double>(2 * n, 0.0), {2, n});
        z["graph"] = NpzArray::of(std::string("basis A\nproduct P A A\nreduce rho A"));
        for (const char *key : {"P.left", "P.right"}) z[key] = ints({0});
        z["P.out"] = ints({60000});
        z["P.cg"] = doubles({1.0}, {1});
        z["rho.A.weight"] = doubles(std::vector<double>(2 * n * 4, 0.0), {2, 1, n, 4});
      },
      large);
  refused(
      "a message that fills the memory", two,
      [](Npz &z) { z["I.functions"] = NpzArray::of(int64_t(30000)); }, "tells its neighbours");
  refused(
      "an index whose place after the message is no int", two,
      [](Npz &z) {
        z["I.functions"] = NpzArray::of(int64_t(65536));
        z["B.A.from"].i.back() = 65535;
      },
      "B.A holds the index 65535");
  const auto zbl = [](Npz &z, double cutoff, double number) {
    z["zbl.cutoff"] = doubles({cutoff, 1.0, 1.0, 1.0}, {2, 2});
    z["zbl.number"] = doubles({number, 8.0}, {2});
    z["zbl.width"] = NpzArray::of(0.1);
  };
  refused("a ZBL cutoff", good, [&](Npz &z) { zbl(z, 1e9, 8.0); }, "ZBL cutoff");
  refused(
      "a ZBL constant", good,
      [&](Npz &z) {
        zbl(z, 1.0, 8.0);
        z["zbl.coulomb"] = NpzArray::of(-1.0);
      },
      "zbl.coulomb");
  refused("a ZBL number", good, [&](Npz &z) { zbl(z, 1.0, -8.0); }, "zbl.number");
}

void test_damage(const Npz &good)
{
  refused("another format", good, [](Npz &z) { z["format"].text = "x"; }, "format");
  refused("no format", good, [](Npz &z) { z.erase("format"); }, "format");
  refused("a later version", good, [](Npz &z) { z["version"].i = {3}; }, "version");
  for (const auto &[key, array] : good) {
    if (key == "format" || key == "version") continue;
    refused("no " + key, good, [&](Npz &z) { z.erase(key); }, "expected");
    refused(
        key + " of another kind", good,
        [&](Npz &z) {
          z[key] = array.kind == 'f' ? NpzArray::of(std::string("x")) : NpzArray::of(0.5);
        },
        "");
    if (array.kind == 'f' && !array.shape.empty()) {
      refused(
          key + " with a NaN", good,
          [&](Npz &z) { z[key].f.back() = std::numeric_limits<double>::quiet_NaN(); }, "");
      if (!may_hold_more(key))
        refused(
            key + " with one row more", good,
            [&](Npz &z) {
              const size_t row = z[key].f.size() / z[key].shape[0];
              z[key].shape[0]++;
              z[key].f.resize(z[key].f.size() + row, 0.0);
            },
            "");
    }
    if (array.kind == 'i' && !array.shape.empty()) {
      if (!may_hold_more(key))
        refused(key + " beyond its tensor", good, [&](Npz &z) { z[key].i.back() = 60000; }, "");
      refused(key + " below 0", good, [&](Npz &z) { z[key].i.back() = -1; }, "index");
    }
  }
}

void test_graphs(const Npz &one, const Npz &two)
{
  for (const char *graph : {"", "basis", "fc A1 A A", "basis A\nbasis B", "basis A\nproduct AA B B",
                            "basis A\nnonsense X", "basis A\nreduce rho A AA", "basis A\ncouple YI",
                            "basis A\nreduce rho", "basis A\nreduce rho A\nnorm A full"})
    for (const char *key : {"graph", "second.graph"})
      refused(
          std::string("the ") + key + " '" + graph + "'", key[0] == 'g' ? one : two,
          [&](Npz &z) { z[key] = NpzArray::of(std::string(graph)); }, "");
  const auto edit = [](Npz &z, const char *key, const std::string &from, const std::string &to) {
    std::string &text = z[key].text;
    const size_t at = text.find(from);
    if (at == std::string::npos) throw std::logic_error("no " + from);
    text.replace(at, from.size(), to);
  };
  refused("a message to no one", two, [](Npz &z) { z["version"].i = {1}; }, "no second layer");
  refused("no message", two, [&](Npz &z) { edit(z, "graph", "message I", ""); }, "message");
  refused(
      "a message of another tensor", two,
      [&](Npz &z) { edit(z, "graph", "message I", "message AA"); }, "");
  refused(
      "a message that is also the densities", two,
      [&](Npz &z) { edit(z, "graph", "message I", "message rho0"); }, "also the densities");
  refused("another norm", two, [&](Npz &z) { edit(z, "graph", "only_nonlin", "full"); }, "norm");
  refused(
      "a norm of another name", two, [&](Npz &z) { edit(z, "graph", "only_nonlin", "x"); },
      "expected full");
  refused(
      "a connection of the second basis", two,
      [&](Npz &z) { edit(z, "second.graph", "fc B1 B B", "fc B1 A A"); }, "collected");
  refused("another activation", two, [](Npz &z) { z["energy.activation"].text = "relu"; }, "tanh");
}

// Atoms 0 and 1 are neighbours of each other.
void test_equal(const std::string &what, const GraceModel &m)
{
  const GraceModel read = through_file(arrays_of(m));
  const int element[] = {1, 0}, first[] = {0, 2, 3}, neighbour[] = {0, 1, 1};
  const int row[] = {0, 1}, far[] = {1, 0, 0};
  const double x[] = {1.5, -1.0, -1.5}, y[] = {0.5, 1.2, -0.5}, t[] = {0.1, 1.9, -0.1};
  const GraceBonds bonds = {2, element, first, neighbour, x, y, t, row, far};
  check(what + " is read as it was written", energy(m, bonds, 0) == energy(read, bonds, 0));
}

}    // namespace

int main()
{
  Random random(3);
  const GraceModel one = model(random, 2, 4, 2), two = two_layers(random, 2, 1, 3, 3);
  test_equal("one layer", one);
  test_equal("two layers", two);
  test_damage(arrays_of(one));
  test_damage(arrays_of(two));
  test_graphs(arrays_of(one), arrays_of(two));
  test_sizes(arrays_of(one), arrays_of(two));
  write_whole_file(path(), "no zip at all");
  bool threw = false;
  try {
    read_grace_model(path());
  } catch (const std::runtime_error &) {
    threw = true;
  }
  check("refused: no zip", threw);
  unlink(path().c_str());
  std::printf("%d checks failed\n", failures);
  return failures ? 1 : 0;
}
