// Is this the LAMMPS, and the MPI, that the plugin was compiled for?

#ifndef SMAX_HOST_CHECK_H
#define SMAX_HOST_CHECK_H

namespace LAMMPS_NS {
class LAMMPS;
}

namespace smax {
// True if the styles may be registered; if not, one line names what was found and expected.
bool host_matches(LAMMPS_NS::LAMMPS *lmp, const char *plugin_name);

// Is class Min as the plugin knows it that of this LAMMPS? (lammps_min_api.h)
bool declared_min_is_right();
}    // namespace smax

#endif
