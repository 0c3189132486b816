// News and errors that a user sees, under -partition too (where LAMMPS writes them to screen.N
// alone).

#ifndef SMAX_FAILURE_H
#define SMAX_FAILURE_H

#include <string>

namespace LAMMPS_NS {
class LAMMPS;
}

namespace smax {
// A line of the log and the terminal. Rank 0 of a partition.
void tell(LAMMPS_NS::LAMMPS *lmp, const std::string &text);
// The same failure on every rank of every partition: told once.
[[noreturn]] void fail_everywhere(LAMMPS_NS::LAMMPS *lmp, const std::string &what);
// The same failure on every rank of this partition.
[[noreturn]] void fail_partition(LAMMPS_NS::LAMMPS *lmp, const std::string &what);
// A failure of this rank alone.
[[noreturn]] void fail_here(LAMMPS_NS::LAMMPS *lmp, const std::string &what);
}    // namespace smax

#endif
