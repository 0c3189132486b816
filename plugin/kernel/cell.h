// Lattice reduction: the same lattice by short vectors, in the frame that LAMMPS wants.

#ifndef SMAX_CELL_H
#define SMAX_CELL_H

namespace smax {

// Rows a, b, c of any non-degenerate cell (Angstrom), either hand. Returns
//   restricted = (lx,0,0) (xy,ly,0) (xz,yz,lz), of the same lattice and volume up to a rotation,
//   with
//     |xy| <= lx/2, |xz| <= lx/2, |yz| <= ly/2 to rounding; a is a shortest lattice vector, b the
//     shortest one not along a;
//   rotation, proper: x_new = rotation x.
// Throws std::invalid_argument if a number is not finite or the vectors span no volume.
void reduce_lattice(const double cell[3][3], double restricted[3][3], double rotation[3][3]);

// Moves x (Cartesian) by lattice vectors into a restricted cell.
void wrap_into(const double restricted[3][3], double x[3]);

double dot(const double *u, const double *v);
void cross(const double *u, const double *v, double *out);

}    // namespace smax

#endif
