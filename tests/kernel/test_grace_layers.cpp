// Two-layer GRACE models in the kernel: energies against plain loops, forces against finite
// differences, invariances, pieces, agreement of the instruction sets. Exit status 1 on failure.

#include "check.h"
#include "grace_plain_loops.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>
#include <stdexcept>

using namespace smax;
using namespace synthetic;

namespace {

using Vec = std::array<double, 3>;

// Atoms without walls; bonds of some of them, rows of arrays that are numbered otherwise
struct Cluster {
  std::vector<int> element;
  std::vector<Vec> x;
};

struct Rows {
  std::vector<int> element, first = {0}, neighbour, row, neighbour_row;
  std::vector<double> dx, dy, dz;

  Rows(const Cluster &c, const std::vector<int> &centres)
  {
    for (int i : centres) {
      for (int j = 0; j < int(c.x.size()); j++) {
        if (j == i) continue;
        neighbour.push_back(c.element[j]);
        neighbour_row.push_back(j);
        dx.push_back(c.x[j][0] - c.x[i][0]);
        dy.push_back(c.x[j][1] - c.x[i][1]);
        dz.push_back(c.x[j][2] - c.x[i][2]);
      }
      element.push_back(c.element[i]);
      row.push_back(i);
      first.push_back(int(dx.size()));
    }
  }
  GraceBonds view() const
  {
    return {int(element.size()), element.data(), first.data(), neighbour.data(),    dx.data(),
            dy.data(),           dz.data(),      row.data(),   neighbour_row.data()};
  }
};

struct Result {
  std::vector<double> energy;
  std::vector<Vec> force;
  double total() const { return std::accumulate(energy.begin(), energy.end(), 0.0); }
};

std::vector<int> all_of(const Cluster &c)
{
  std::vector<int> out(c.x.size());
  std::iota(out.begin(), out.end(), 0);
  return out;
}

void add_forces(const Rows &r, const std::vector<double> (&g)[3], Result &out)
{
  for (size_t i = 0; i < r.row.size(); i++)
    for (int b = r.first[i]; b < r.first[i + 1]; b++)
      for (int k = 0; k < 3; k++) {
        out.force[r.row[i]][k] += g[k][b];
        out.force[r.neighbour_row[b]][k] -= g[k][b];
      }
}

// All pieces tell before any hears.
Result evaluate(GraceEvaluator &ev, const Cluster &c, const std::vector<std::vector<int>> &pieces)
{
  const size_t n = c.x.size(), nm = ev.message_size(), nd = ev.density_size();
  std::vector<double> message(n * nm, NAN), density(n * nd, NAN), dmessage(n * nm, 0.0),
      ddensity(n * nd, NAN);
  Result out{std::vector<double>(n, NAN), std::vector<Vec>(n, Vec{})};
  for (const auto &piece : pieces) ev.tell(Rows(c, piece).view(), message.data(), density.data());
  for (const auto &piece : pieces) {
    const Rows r(c, piece);
    std::vector<double> e(piece.size(), NAN), g[3];
    for (auto &x : g) x.assign(r.dx.size(), NAN);
    ev.hear(r.view(), message.data(), density.data(), e.data(), g[0].data(), g[1].data(),
            g[2].data(), dmessage.data(), ddensity.data());
    for (size_t k = 0; k < piece.size(); k++) out.energy[piece[k]] = e[k];
    add_forces(r, g, out);
  }
  for (const auto &piece : pieces) {
    const Rows r(c, piece);
    std::vector<double> g[3];
    for (auto &x : g) x.assign(r.dx.size(), NAN);
    ev.trace(r.view(), dmessage.data(), ddensity.data(), g[0].data(), g[1].data(), g[2].data());
    add_forces(r, g, out);
  }
  return out;
}

Result evaluate(GraceEvaluator &ev, const Cluster &c)
{
  return evaluate(ev, c, {all_of(c)});
}

// Largest difference by the largest value, or 1; NaN if there is one.
double difference(const Result &a, const Result &b)
{
  double worst = 0.0, scale = 1.0;
  const auto compare = [&](double x, double y) {
    if (!(std::abs(x - y) <= worst)) worst = std::isnan(worst) ? worst : std::abs(x - y);
    scale = std::max(scale, std::abs(y));
  };
  for (size_t i = 0; i < a.energy.size(); i++) {
    compare(a.energy[i], b.energy[i]);
    for (int k = 0; k < 3; k++) compare(a.force[i][k], b.force[i][k]);
  }
  return worst / scale;
}

Cluster random_cluster(Random &random, int natoms, int ne)
{
  Cluster c;
  const double edge = 2.2 * std::cbrt(double(natoms));
  while (int(c.x.size()) < natoms) {
    Vec x;
    for (double &component : x) component = edge * double(random() % 100000) / 100000.0;
    const bool free = std::all_of(c.x.begin(), c.x.end(), [&](const Vec &y) {
      return std::hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]) > 1.2;
    });
    if (!free) continue;
    c.x.push_back(x);
    c.element.push_back(int(random() % ne));
  }
  c.x.push_back({60.0, 0.0, 0.0});    // hears of no one
  c.element.push_back(0);
  return c;
}

void test_energy(const std::string &name, const GraceModel &m, GraceEvaluator &ev, const Cluster &c)
{
  const Rows r(c, all_of(c));
  Result expected = evaluate(ev, c);
  const Result found = expected;
  for (int i = 0; i < int(c.x.size()); i++) expected.energy[i] = energy(m, r.view(), i);
  check(name + " energies are those of plain loops", difference(found, expected), 1e-12);
}

void test_forces(const std::string &name, GraceEvaluator &ev, Cluster c, Random &random)
{
  const Result at = evaluate(ev, c);
  double worst = 0.0, scale = 1e-3;
  for (int k = 0; k < 9; k++) {
    const size_t i = random() % c.x.size();
    double &x = c.x[i][k % 3];
    const double keep = x, h = 2e-4;
    const auto change = [&](double step) {
      x = keep + step;
      const double plus = evaluate(ev, c).total();
      x = keep - step;
      const double minus = evaluate(ev, c).total();
      x = keep;
      return (plus - minus) / (2.0 * step);
    };
    const double numeric = (4.0 * change(h) - change(2.0 * h)) / 3.0;    // error of order h^4
    scale = std::max(scale, std::abs(numeric));
    const double off = std::abs(numeric + at.force[i][k % 3]);
    if (!(off <= worst)) worst = std::isnan(worst) ? worst : off;    // a NaN stays
  }
  check(name + " forces are those of finite differences", worst / scale, 1e-7);
}

void test_rotation(const std::string &name, GraceEvaluator &ev, const Cluster &c)
{
  // about (1, 1, 1), then by an angle about z, and mirrored: energies have no handedness
  const auto turn = [](const Vec &v) {
    const double cs = std::cos(0.7), sn = std::sin(0.7);
    return Vec{-(cs * v[1] - sn * v[2]), -(sn * v[1] + cs * v[2]), -v[0]};
  };
  Cluster turned = c;
  for (Vec &x : turned.x) x = turn(x);
  Result before = evaluate(ev, c);
  for (Vec &f : before.force) f = turn(f);
  // not exact: a bond of this model is divided by sqrt(r^2 + 1e-10), not by r
  check(name + " turns with its atoms", difference(evaluate(ev, turned), before), 1e-8);
}

void test_pieces(const std::string &name, GraceEvaluator &ev, const Cluster &c)
{
  const int n = int(c.x.size());
  std::vector<std::vector<int>> pieces(3);
  for (int i = n - 1; i >= 0; i--) pieces[i % 2].push_back(i);
  check(name + " in pieces", difference(evaluate(ev, c, pieces), evaluate(ev, c)), 1e-12);
}

void test_misuse(Random &random)
{
  GraceEvaluator ev(two_layers(random, 1, 1, 2, 1));
  bool threw = false;
  const int first[] = {0};
  try {
    ev.evaluate({0, nullptr, first}, nullptr, nullptr, nullptr, nullptr);
  } catch (const std::logic_error &) {
    threw = true;
  }
  check("two layers are not evaluated as one", threw ? 0.0 : 1.0, 0.0);
}

void test_model(const std::string &name, const GraceModel &m, const std::vector<Isa> &isas,
                int batch, Random &random)
{
  const Cluster c = random_cluster(random, 11, int(m.elements.size()));
  GraceEvaluator plain(m, Isa::Plain);
  for (Isa isa : isas) {
    GraceEvaluator ev(m, isa, batch);
    const std::string what = std::string(isa_name(isa)) + " " + name;
    test_energy(what, m, ev, c);
    test_forces(what, ev, c, random);
    test_rotation(what, ev, c);
    test_pieces(what, ev, c);
    check(what + " equals plain", difference(evaluate(ev, c), evaluate(plain, c)), 1e-12);
  }
}

}    // namespace

int main()
{
  Random random(11);
  std::vector<Isa> isas = {Isa::Plain};
  for (Isa isa : {Isa::Avx2, Isa::Avx512})
    if (isa <= isa_best()) isas.push_back(isa);

  for (int order = 1; order <= 4; order++)
    for (int tell : {0, 1, 2}) {
      const int ne = 1 + (order + tell) % 3, lmax = order == 4 ? 2 : 3;
      const GraceModel m = two_layers(random, lmax, tell, order, ne, order % 2);
      test_model("order " + std::to_string(order) + " tells " + std::to_string(tell), m, isas,
                 1 + 3 * tell, random);
    }
  test_misuse(random);
  std::printf("%d checks failed\n", failures);
  return failures ? 1 : 0;
}
