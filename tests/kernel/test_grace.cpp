// GRACE kernel on its own: energies against plain loops, gradient against finite differences,
// invariances, agreement of the instruction sets, edge cases. Exit status 1 on failure.

#include "check.h"
#include "grace_plain_loops.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <stdexcept>

using namespace smax;
using namespace synthetic;

namespace {

// Atoms and bonds that own their arrays.
struct Rows {
  std::vector<int> element, first = {0}, neighbour;
  std::vector<double> x, y, z;

  GraceBonds view() const
  {
    return {int(element.size()),
            element.data(),
            first.data(),
            neighbour.data(),
            x.data(),
            y.data(),
            z.data()};
  }
  void add(int e, double bx, double by, double bz)
  {
    neighbour.push_back(e);
    x.push_back(bx);
    y.push_back(by);
    z.push_back(bz);
  }
  void end_atom(int e)
  {
    element.push_back(e);
    first.push_back(int(x.size()));
  }
};

Rows random_rows(Random &random, int natoms, int ne, int most)
{
  Rows r;
  for (int i = 0; i < natoms; i++) {
    const int n = int(random() % (most + 1));
    for (int k = 0; k < n; k++) {
      const double v[3] = {normal(random), normal(random), normal(random)};
      const double length = 1.0 + 3.5 * double(random() % 1000) / 1000.0;    // some beyond
      const double s = length / std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
      r.add(int(random() % ne), s * v[0], s * v[1], s * v[2]);
    }
    r.end_atom(int(random() % ne));
  }
  return r;
}

struct Result {
  std::vector<double> e, gx, gy, gz;
  double total() const
  {
    double sum = 0.0;
    for (double x : e) sum += x;
    return sum;
  }
};

Result evaluate(GraceEvaluator &ev, const Rows &r)
{
  Result out;
  const double nan = std::numeric_limits<double>::quiet_NaN();    // everything must be written
  out.e.assign(r.element.size(), nan);
  out.gx = out.gy = out.gz = std::vector<double>(r.x.size(), nan);
  ev.evaluate(r.view(), out.e.data(), out.gx.data(), out.gy.data(), out.gz.data());
  return out;
}

double difference(const std::vector<double> &a, const std::vector<double> &b)
{
  double most = 0.0, scale = 1.0;
  for (size_t i = 0; i < a.size(); i++) {
    const double apart = std::abs(a[i] - b[i]);
    if (std::isnan(apart)) return apart;
    scale = std::max(scale, std::abs(b[i]));
    most = std::max(most, apart);
  }
  return most / scale;
}

double difference(const Result &a, const Result &b)
{
  return difference(a.e, b.e) + difference(a.gx, b.gx) + difference(a.gy, b.gy) +
         difference(a.gz, b.gz);    // a NaN stays
}

void test_energy(const std::string &name, const GraceModel &m, GraceEvaluator &ev, const Rows &r)
{
  const Result found = evaluate(ev, r);
  std::vector<double> expected;
  for (int i = 0; i < int(r.element.size()); i++) expected.push_back(energy(m, r.view(), i));
  check(name + " energies are those of plain loops", difference(found.e, expected), 1e-12);
}

void test_gradient(const std::string &name, GraceEvaluator &ev, Rows r, Random &random)
{
  const Result at = evaluate(ev, r);
  double worst = 0.0, scale = 1e-3;
  for (int k = 0; k < 12 && !r.x.empty(); k++) {
    const size_t b = random() % r.x.size();
    std::vector<double> *v[3] = {&r.x, &r.y, &r.z};
    const std::vector<double> *g[3] = {&at.gx, &at.gy, &at.gz};
    const int axis = k % 3;
    double &x = (*v[axis])[b];
    const double keep = x, h = 2e-4;
    const auto change = [&](double step) {
      x = keep + step;
      const double plus = evaluate(ev, r).total();
      x = keep - step;
      const double minus = evaluate(ev, r).total();
      x = keep;
      return (plus - minus) / (2.0 * step);
    };
    const double numeric = (4.0 * change(h) - change(2.0 * h)) / 3.0;    // error of order h^4
    scale = std::max(scale, std::abs(numeric));
    const double off = std::abs(numeric - (*g[axis])[b]);
    if (!(off <= worst)) worst = std::isnan(worst) ? worst : off;    // a NaN stays
  }
  check(name + " gradient is that of finite differences", worst / scale, 1e-8);
}

void test_rotation(const std::string &name, GraceEvaluator &ev, const Rows &r, Random &random)
{
  double q[4], norm = 0.0;
  for (double &c : q) c = normal(random);
  for (double c : q) norm += c * c;
  for (double &c : q) c /= std::sqrt(norm);
  const double w = q[0], x = q[1], y = q[2], z = q[3];
  const double R[3][3] = {{1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)},
                          {2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)},
                          {2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)}};
  const auto turn = [&](std::vector<double> &a, std::vector<double> &b, std::vector<double> &c) {
    for (size_t i = 0; i < a.size(); i++) {    // and mirrored: energies have no handedness
      const double v[3] = {a[i], b[i], c[i]};
      double out[3];
      for (int k = 0; k < 3; k++) out[k] = -(R[k][0] * v[0] + R[k][1] * v[1] + R[k][2] * v[2]);
      a[i] = out[0], b[i] = out[1], c[i] = out[2];
    }
  };
  Rows turned = r;
  turn(turned.x, turned.y, turned.z);
  Result before = evaluate(ev, r);
  turn(before.gx, before.gy, before.gz);
  // not exact: a bond of this model is divided by sqrt(r^2 + 1e-10), not by r
  check(name + " turns with its atoms", difference(evaluate(ev, turned), before), 1e-9);
}

void test_order(const std::string &name, GraceEvaluator &ev, const Rows &r)
{
  Rows other;
  std::vector<int> from;
  for (int i = int(r.element.size()) - 1; i >= 0; i--) {
    for (int b = r.first[i + 1] - 1; b >= r.first[i]; b--) {
      other.add(r.neighbour[b], r.x[b], r.y[b], r.z[b]);
      from.push_back(b);
    }
    other.end_atom(r.element[i]);
  }
  const Result a = evaluate(ev, r), b = evaluate(ev, other);
  Result back = a;
  for (size_t k = 0; k < from.size(); k++) {
    back.gx[from[k]] = b.gx[k];
    back.gy[from[k]] = b.gy[k];
    back.gz[from[k]] = b.gz[k];
  }
  back.e.assign(b.e.rbegin(), b.e.rend());
  check(name + " does not depend on the order of bonds", difference(back, a), 1e-12);
}

void test_edges(const std::string &name, const GraceModel &m, GraceEvaluator &ev)
{
  Rows r;
  r.end_atom(0);    // alone
  r.add(0, 0.0, 0.0, 2.0);
  r.add(0, 0.0, 0.0, -2.1);
  r.add(0, m.cutoff[0], 0.0, 0.0);
  r.add(0, 0.0, 100.0, 0.0);
  r.end_atom(0);
  test_energy(name + " poles and ends:", m, ev, r);
  const Result out = evaluate(ev, r);
  check(name + " nothing from beyond the cutoff", std::abs(out.gx[2]) + std::abs(out.gy[3]), 0.0);
  Rows none;
  evaluate(ev, none);
}

// Connections of the same tensors whose weights are shared by other functions.
void test_groups(Isa isa, Random &random)
{
  GraceModel m = model(random, 2, 4, 2);
  for (GraceStep &s : m.layers[0].steps)
    if (s.name == "AA2") std::fill(s.group.begin(), s.group.end(), 0);
  GraceEvaluator ev(m, isa);
  const Rows r = random_rows(random, 5, 2, 20);
  test_energy("other groups", m, ev, r);
  test_gradient("other groups", ev, r, random);
}

void test_zbl(Isa isa, Random &random)
{
  GraceModel m = model(random, 1, 2, 2);
  m.zbl = true;
  m.zbl_cutoff = {1.5, 1.2, 1.2, 2.0};
  m.zbl_width = 0.25;
  m.zbl_number = {42, 8};
  GraceEvaluator ev(m, isa);
  Rows r;
  for (double length : {0.3, 0.9, 1.3, 1.45, 1.9}) r.add(1, length, 0.1, 0.0);
  r.end_atom(1);
  test_gradient("ZBL", ev, r, random);
  Rows at;
  at.add(0, 1.5 - 1e-7, 0.0, 0.0);
  at.end_atom(0);
  m.zbl = false;
  GraceEvaluator without(m, isa);
  check("ZBL ends smoothly", std::abs(evaluate(ev, at).gx[0] - evaluate(without, at).gx[0]), 1e-8);
}

}    // namespace

int main()
{
  Random random(7);
  std::vector<Isa> isas = {Isa::Plain};
  for (Isa isa : {Isa::Avx2, Isa::Avx512})
    if (isa <= isa_best()) isas.push_back(isa);

  for (int order = 1; order <= 4; order++)
    for (int lmax : {0, 1, 3}) {
      const int ne = 1 + (order + lmax) % 3;
      const GraceModel m = model(random, lmax, order, ne, order % 2);
      const Rows r = random_rows(random, 11, ne, 40);
      GraceEvaluator plain(m, Isa::Plain);
      for (Isa isa : isas) {
        GraceEvaluator ev(m, isa, 1 + lmax);
        const std::string name = std::string(isa_name(isa)) + " order " + std::to_string(order) +
                                 " lmax " + std::to_string(lmax);
        test_energy(name, m, ev, r);
        test_gradient(name, ev, r, random);
        test_rotation(name, ev, r, random);
        test_order(name, ev, r);
        test_edges(name, m, ev);
        check(name + " equals plain", difference(evaluate(ev, r), evaluate(plain, r)), 1e-12);
      }
    }
  const GraceModel m = model(random, 4, 4, 2);
  const Rows r = random_rows(random, 9, 2, 30);
  for (Isa isa : isas) {
    GraceEvaluator ev(m, isa);
    test_energy("lmax 4", m, ev, r);
    test_gradient("lmax 4", ev, r, random);
    test_groups(isa, random);
    test_zbl(isa, random);
  }
  std::printf("%d checks failed\n", failures);
  return failures ? 1 : 0;
}
