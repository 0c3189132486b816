// Files of native GRACE models: what is written is read, what is damaged is refused by one
// sentence. Exit status 1 on failure.

#include "grace_npz.h"
#include "grace_synthetic.h"
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
std::string name_of(const GraceModel &m, int tensor)
{
  return tensor ? m.steps[tensor - 1].name : "A";
}

void put_step(Npz &z, const GraceModel &m, const GraceStep &s, std::string &graph)
{
  const bool fc = s.kind == GraceStep::Kind::Connect;
  graph += std::string(fc ? "fc " : "product ") + s.name + " " + name_of(m, s.left) + " " +
           name_of(m, s.right) + "\n";
  const size_t n = s.channels;
  if (fc) {
    const size_t left = s.left ? m.steps[s.left - 1].channels : m.channels;
    const size_t right = s.right ? m.steps[s.right - 1].channels : m.channels;
    z[s.name + ".left"] = doubles(s.left_weight, {s.left_weight.size() / left / n, left, n});
    z[s.name + ".right"] = doubles(s.right_weight, {s.right_weight.size() / right / n, right, n});
    z[s.name + ".group"] = ints(s.group);
    z[s.name + ".to"] = ints(s.to);
    z[s.name + ".from"] = ints(s.from);
    z[s.name + ".pair"] = ints(s.pair);
    return;
  }
  z[s.name + ".left"] = ints(s.a);
  z[s.name + ".right"] = ints(s.b);
  z[s.name + ".out"] = ints(s.target);
  z[s.name + ".cg"] = doubles(s.coef, {s.coef.size()});
}

Npz arrays_of(const GraceModel &m)
{
  Npz z;
  const size_t ne = m.elements.size();
  z["format"] = NpzArray::of(std::string("pysmax-grace-native"));
  z["version"] = NpzArray::of(int64_t(1));
  std::string elements, graph = "basis A\n";
  for (const auto &e : m.elements) elements += (elements.empty() ? "" : " ") + e;
  z["elements"] = NpzArray::of(elements);
  z["lmax"] = NpzArray::of(int64_t(m.lmax));
  z["basis_size"] = NpzArray::of(int64_t(m.basis_size));
  z["cutoff_power"] = NpzArray::of(int64_t(m.cutoff_power));
  z["cutoff"] = doubles(m.cutoff, {ne, ne});
  z["radial_layers"] = NpzArray::of(int64_t(m.hidden.size()));
  for (size_t i = 0; i < m.hidden.size(); i++)
    z["radial." + std::to_string(i)] =
        doubles(m.radial[i], {m.radial[i].size() / m.hidden[i], size_t(m.hidden[i])});
  const size_t n = m.channels;
  z["radial.out"] = doubles(m.radial_out, {size_t(m.lmax + 1), size_t(m.hidden.back()), n});
  z["indicator"] = doubles(m.indicator, {ne, n});
  z["inverse_neighbours"] = doubles(m.inverse_neighbours, {ne});
  for (const GraceStep &s : m.steps) put_step(z, m, s, graph);
  graph += "reduce rho";
  for (const GraceReduce &r : m.reduce) {
    const std::string name = name_of(m, r.tensor);
    graph += " " + name;
    const size_t nf = r.function.size(), rho = m.density;
    z["rho." + name + ".function"] = ints(r.function);
    z["rho." + name + ".weight"] =
        doubles(r.weight, {ne, nf, r.weight.size() / ne / nf / rho, rho});
  }
  z["graph"] = NpzArray::of(graph);
  z["energy.0"] = doubles(m.energy_in, {size_t(m.density - 1), size_t(m.energy_hidden)});
  z["energy.1"] = doubles(m.energy_out, {size_t(m.energy_hidden), 1});
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
                            "AAA.out", "AAAA.out"})
    if (key == known) return true;
  return false;
}

void test_sizes(const Npz &good)
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
  const auto zbl = [](Npz &z, double cutoff, double number) {
    z["zbl.cutoff"] = doubles({cutoff, 1.0, 1.0, 1.0}, {2, 2});
    z["zbl.number"] = doubles({number, 8.0}, {2});
    z["zbl.width"] = NpzArray::of(0.1);
  };
  refused("a ZBL cutoff", good, [&](Npz &z) { zbl(z, 1e9, 8.0); }, "ZBL cutoff");
  refused("a ZBL number", good, [&](Npz &z) { zbl(z, 1.0, -8.0); }, "zbl.number");
}

void test_damage(const Npz &good)
{
  refused("another format", good, [](Npz &z) { z["format"].text = "x"; }, "format");
  refused("no format", good, [](Npz &z) { z.erase("format"); }, "format");
  refused("a later version", good, [](Npz &z) { z["version"].i = {2}; }, "version");
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
  for (const char *graph : {"", "basis", "fc A1 A A", "basis A\nbasis B", "basis A\nproduct AA B B",
                            "basis A\nnonsense X", "basis A\nreduce rho A AA"})
    refused(
        std::string("the graph '") + graph + "'", good,
        [&](Npz &z) { z["graph"] = NpzArray::of(std::string(graph)); }, "");
}

}    // namespace

int main()
{
  Random random(3);
  const GraceModel m = model(random, 2, 4, 2);
  const Npz z = arrays_of(m);
  const GraceModel read = through_file(z);
  const int element[] = {1}, first[] = {0, 2}, neighbour[] = {0, 1};
  const double x[] = {1.5, -1.0}, y[] = {0.5, 1.2}, t[] = {0.1, 1.9};
  const GraceBonds bonds = {1, element, first, neighbour, x, y, t};
  check("what is written is read", energy(m, bonds, 0) == energy(read, bonds, 0));
  test_damage(z);
  test_sizes(z);
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
