// Periodic images by counting lattice vectors: no ghost atoms, and exact for cells of any size.

#ifndef SMAX_IMAGES_H
#define SMAX_IMAGES_H

#include <cmath>

namespace smax {

// Calls emit(kx, ky, kz) for each image d + kx a + ky b + kz c that is no longer than reach.
// h: lx, ly, lz, yz, xz, xy of a restricted triclinic cell (LAMMPS' order), Angstrom; d: [3].
template <typename Emit>
void for_each_image(const double *h, const double *d, double reach, Emit &&emit)
{
  const auto first = [](double at, double half, double edge) {
    return int(std::ceil((-half - at) / edge));
  };
  const auto last = [](double at, double half, double edge) {
    return int(std::floor((half - at) / edge));
  };
  const auto half_width = [](double squared) { return squared > 0.0 ? std::sqrt(squared) : 0.0; };
  const int zlast = last(d[2], reach, h[2]);
  for (int kz = first(d[2], reach, h[2]); kz <= zlast; kz++) {
    const double z = d[2] + kz * h[2], y0 = d[1] + kz * h[3];
    const double zrest = reach * reach - z * z, ry = half_width(zrest);
    const int ylast = last(y0, ry, h[1]);
    for (int ky = first(y0, ry, h[1]); ky <= ylast; ky++) {
      const double y = y0 + ky * h[1], x0 = d[0] + kz * h[4] + ky * h[5];
      const double rx = half_width(zrest - y * y);
      const int xlast = last(x0, rx, h[0]);
      for (int kx = first(x0, rx, h[0]); kx <= xlast; kx++) emit(kx, ky, kz);
    }
  }
}

}    // namespace smax

#endif
