// Is this the LAMMPS, and the MPI, that the plugin was compiled for?

#ifndef SMAX_HOST_CHECK_H
#define SMAX_HOST_CHECK_H

namespace LAMMPS_NS {
class LAMMPS;
}

namespace smax {
// Fails with error->all naming both if not. True if the styles may be registered.
bool host_matches(LAMMPS_NS::LAMMPS *lmp);

// Is class Min as the plugin knows it that of this LAMMPS? (lammps_min_api.h)
bool declared_min_is_right();
}    // namespace smax

#endif
