// Is this the LAMMPS, and the MPI, that the plugin was compiled for?

#ifndef SMAX_HOST_CHECK_H
#define SMAX_HOST_CHECK_H

namespace LAMMPS_NS {
class LAMMPS;
}

namespace smax {
// Fails with error->all naming both if not. True if the styles may be registered.
bool host_matches(LAMMPS_NS::LAMMPS *lmp);
}    // namespace smax

#endif
