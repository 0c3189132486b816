#include "cell.h"

#include <cmath>
#include <stdexcept>
#include <utility>

using namespace smax;

namespace {

constexpr double FLAT = 1e-9;        // volume / |a||b||c| below which a cell is degenerate
constexpr double SHORTER = 1e-12;    // a step counts only if it shortens by more than rounding

double determinant(const double v[3][3])
{
  double bc[3];
  cross(v[1], v[2], bc);
  return dot(v[0], bc);
}

void subtract(double *u, double factor, const double *v)
{
  for (int k = 0; k < 3; k++) u[k] -= factor * v[k];
}

void swap_rows(double *u, double *v)
{
  for (int k = 0; k < 3; k++) std::swap(u[k], v[k]);
}

void sort_rows(double v[3][3])
{
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < 2; i++)
      if (dot(v[i + 1], v[i + 1]) < dot(v[i], v[i])) swap_rows(v[i], v[i + 1]);
}

// Lagrange: a is a shortest vector of the plane lattice, b the next
void reduce_pair(double *a, double *b)
{
  for (;;) {
    const double aa = dot(a, a), bb = dot(b, b);
    if (bb < aa * (1.0 - SHORTER)) {
      swap_rows(a, b);
      continue;
    }
    const double n = std::round(dot(a, b) / aa);
    double shorter[3] = {b[0], b[1], b[2]};
    subtract(shorter, n, a);
    if (n == 0.0 || dot(shorter, shorter) >= bb * (1.0 - SHORTER)) return;
    for (int k = 0; k < 3; k++) b[k] = shorter[k];
  }
}

// Shortest of c + Z a + Z b for a reduced pair: it is at a corner of the tile that holds its foot.
// Returns whether c changed.
bool shorten_third(const double *a, const double *b, double *c)
{
  const double aa = dot(a, a), ab = dot(a, b), bb = dot(b, b), ca = dot(c, a), cb = dot(c, b);
  const double gram = aa * bb - ab * ab;
  const double s = std::floor((ca * bb - cb * ab) / gram);
  const double t = std::floor((cb * aa - ca * ab) / gram);
  double best = dot(c, c) * (1.0 - SHORTER), found[3] = {0.0, 0.0, 0.0};
  bool changed = false;
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) {
      double trial[3] = {c[0], c[1], c[2]};
      subtract(trial, s + i, a);
      subtract(trial, t + j, b);
      const double length = dot(trial, trial);
      if (!(length < best)) continue;
      best = length;
      changed = true;
      for (int k = 0; k < 3; k++) found[k] = trial[k];
    }
  if (changed)
    for (int k = 0; k < 3; k++) c[k] = found[k];
  return changed;
}

// Minkowski reduction (Semaev 2001): pair, then third against the pair, until nothing shortens
void minkowski(double v[3][3])
{
  do {
    sort_rows(v);
    reduce_pair(v[0], v[1]);
  } while (shorten_third(v[0], v[1], v[2]));
  if (dot(v[2], v[2]) >= dot(v[1], v[1])) return;
  // only a tie within rounding comes here
  sort_rows(v);
  reduce_pair(v[0], v[1]);
}

void check(const double cell[3][3])
{
  const double volume = std::fabs(determinant(cell));
  const double edges = std::sqrt(dot(cell[0], cell[0])) * std::sqrt(dot(cell[1], cell[1])) *
                       std::sqrt(dot(cell[2], cell[2]));
  if (!std::isfinite(edges) || !std::isfinite(volume))
    throw std::invalid_argument("cell vectors are not finite, expected three vectors in Angstrom");
  if (!(volume > FLAT * edges))
    throw std::invalid_argument("cell has volume " + std::to_string(volume) +
                                " A^3, expected three vectors that span a volume");
}

}    // namespace

double smax::dot(const double *u, const double *v)
{
  return u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
}

void smax::cross(const double *u, const double *v, double *out)
{
  out[0] = u[1] * v[2] - u[2] * v[1];
  out[1] = u[2] * v[0] - u[0] * v[2];
  out[2] = u[0] * v[1] - u[1] * v[0];
}

/* ---------------------------------------------------------------------- */

void smax::reduce_lattice(const double cell[3][3], double restricted[3][3], double rotation[3][3])
{
  check(cell);
  double v[3][3];
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 3; k++) v[i][k] = cell[i][k];
  minkowski(v);
  if (determinant(v) < 0.0)    // -c spans the same lattice with the other hand
    for (double &c : v[2]) c = -c;

  const double lx = std::sqrt(dot(v[0], v[0]));
  for (int k = 0; k < 3; k++) rotation[0][k] = v[0][k] / lx;
  const double xy = dot(v[1], rotation[0]);
  double up[3] = {v[1][0], v[1][1], v[1][2]};
  subtract(up, xy, rotation[0]);
  const double ly = std::sqrt(dot(up, up));
  for (int k = 0; k < 3; k++) rotation[1][k] = up[k] / ly;
  cross(rotation[0], rotation[1], rotation[2]);

  // the tilt bounds of LAMMPS ask for the c nearest to the z axis, not for the shortest
  double xz = dot(v[2], rotation[0]), yz = dot(v[2], rotation[1]);
  const double along_b = std::round(yz / ly);
  yz -= along_b * ly;
  xz -= along_b * xy;
  xz -= std::round(xz / lx) * lx;

  const double out[3][3] = {{lx, 0.0, 0.0}, {xy, ly, 0.0}, {xz, yz, dot(v[2], rotation[2])}};
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 3; k++) restricted[i][k] = out[i][k];
}

void smax::wrap_into(const double h[3][3], double x[3])
{
  double s[3];
  s[2] = x[2] / h[2][2];
  s[1] = (x[1] - s[2] * h[2][1]) / h[1][1];
  s[0] = (x[0] - s[2] * h[2][0] - s[1] * h[1][0]) / h[0][0];
  for (double &t : s) {
    t -= std::floor(t);
    if (t >= 1.0) t = 0.0;    // -1e-20 rounds up to 1
  }
  x[0] = s[0] * h[0][0] + s[1] * h[1][0] + s[2] * h[2][0];
  x[1] = s[1] * h[1][1] + s[2] * h[2][1];
  x[2] = s[2] * h[2][2];
}
