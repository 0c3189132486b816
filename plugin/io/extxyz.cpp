#include "extxyz.h"

#include "cell.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

using namespace smax;

namespace {

constexpr double MARGIN = 0.1;    // Angstrom beyond the cutoff

// replaces the rows of cell that are not periodic by the shortest that keep images apart
void close_cell(const ExtxyzFrame &frame, double vacuum, double cell[3][3])
{
  const int periodic = frame.pbc[0] + frame.pbc[1] + frame.pbc[2];
  bool done[3] = {frame.pbc[0], frame.pbc[1], frame.pbc[2]};
  if (periodic == 0) {    // axes of the frame
    for (int i = 0; i < 3; i++)
      for (int k = 0; k < 3; k++) cell[i][k] = i == k ? 1.0 : 0.0;
  } else if (periodic == 1) {    // any direction across the periodic one
    const int i = frame.pbc[0] ? 0 : frame.pbc[1] ? 1 : 2, j = (i + 1) % 3;
    const double *axis = cell[i];
    int least = 0;
    for (int k = 1; k < 3; k++)
      if (std::fabs(axis[k]) < std::fabs(axis[least])) least = k;
    double unit[3] = {0.0, 0.0, 0.0};
    unit[least] = 1.0;
    cross(axis, unit, cell[j]);
    done[j] = true;
  }
  for (int i = 0; i < 3 && periodic > 0; i++)
    if (!done[i]) cross(cell[(i + 1) % 3], cell[(i + 2) % 3], cell[i]);

  for (int i = 0; i < 3; i++) {
    if (frame.pbc[i]) continue;
    const double length = std::sqrt(dot(cell[i], cell[i]));
    if (length == 0.0) continue;    // degenerate: reduce_lattice() says so
    double lo = INFINITY, hi = -INFINITY;
    for (size_t a = 0; a + 2 < frame.x.size(); a += 3) {
      const double along = dot(&frame.x[a], cell[i]) / length;
      lo = std::min(lo, along);
      hi = std::max(hi, along);
    }
    for (double &c : cell[i]) c *= (hi - lo + vacuum) / length;
  }
}

std::vector<double> radii_of(const ExtxyzFrame &frame, const double *covalent)
{
  std::vector<double> out = frame.radius;
  if (out.empty())
    for (int z : frame.z) out.push_back(z >= 1 && z <= MAX_Z ? covalent[z] : 0.0);
  for (size_t i = 0; i < out.size(); i++)
    if (!(out[i] > 0.0))
      throw std::invalid_argument("radius of atom " + std::to_string(i + 1) + " is " +
                                  shortest(out[i]) + ", expected a positive number");
  return out;
}

void append_row(std::string &out, const double *v)
{
  for (int k = 0; k < 3; k++) {
    if (k) out += ' ';
    append_shortest(out, v[k]);
  }
}

}    // namespace

std::string smax::format_extxyz(const Candidate &atoms,
                                const std::vector<std::pair<std::string, std::string>> &info)
{
  const double cell[3][3] = {
      {atoms.lx, 0.0, 0.0}, {atoms.xy, atoms.ly, 0.0}, {atoms.xz, atoms.yz, atoms.lz}};
  std::string out;
  out.reserve(256 + 96 * atoms.z.size());
  out += std::to_string(atoms.z.size()) + "\nLattice=\"";
  for (int i = 0; i < 3; i++) {
    if (i) out += ' ';
    append_row(out, cell[i]);
  }
  out += "\" Properties=species:S:1:pos:R:3:r_eff:R:1";
  for (const auto &[key, value] : info) out += " " + key + "=" + value;
  out += " pbc=\"T T T\"\n";
  for (size_t i = 0; i < atoms.z.size(); i++) {
    out += element_symbol(atoms.z[i]);
    out += ' ';
    append_row(out, &atoms.x[3 * i]);
    out += ' ';
    append_shortest(out, atoms.radius[i]);
    out += '\n';
  }
  return out;
}

Candidate smax::to_candidate(const ExtxyzFrame &frame, const double *covalent, double vacuum_factor)
{
  if (frame.z.empty()) throw std::invalid_argument("frame has 0 atoms, expected at least 1");
  if (frame.periodic() && !frame.has_cell)
    throw std::invalid_argument("frame is periodic and has no Lattice, expected one");
  Candidate out;
  out.z = frame.z;
  out.radius = radii_of(frame, covalent);
  out.x = frame.x;

  const double widest = *std::max_element(out.radius.begin(), out.radius.end());
  double cell[3][3], h[3][3], rotation[3][3];
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 3; k++) cell[i][k] = frame.has_cell ? frame.cell[i][k] : 0.0;
  close_cell(frame, vacuum_factor * widest + MARGIN, cell);
  reduce_lattice(cell, h, rotation);
  out.lx = h[0][0], out.xy = h[1][0], out.ly = h[1][1];
  out.xz = h[2][0], out.yz = h[2][1], out.lz = h[2][2];

  for (size_t a = 0; a + 2 < out.x.size(); a += 3) {
    const double old[3] = {out.x[a], out.x[a + 1], out.x[a + 2]};
    for (int k = 0; k < 3; k++) out.x[a + k] = dot(rotation[k], old);
    wrap_into(h, &out.x[a]);
    if (!std::isfinite(out.x[a] + out.x[a + 1] + out.x[a + 2]))
      throw std::invalid_argument("atom " + std::to_string(a / 3 + 1) +
                                  " is too far away to be wrapped into its cell");
  }
  return out;
}
