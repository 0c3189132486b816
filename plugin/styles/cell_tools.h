// Between a smax::Candidate and the atoms of a LAMMPS instance.

#ifndef SMAX_CELL_TOOLS_H
#define SMAX_CELL_TOOLS_H

#include "dataset.h"
#include "recipe.h"

#include <cstdio>
#include <string>
#include <vector>

namespace LAMMPS_NS {
class LAMMPS;
class FixEntropy;
}    // namespace LAMMPS_NS

namespace smax {

// The fix entropy with that ID; error->all otherwise.
LAMMPS_NS::FixEntropy *entropy_fix(LAMMPS_NS::LAMMPS *lmp, const char *command, const char *id);

// Every element of the recipe has an atom type. Throws std::invalid_argument.
void check_types(const Recipe &recipe, LAMMPS_NS::FixEntropy *fix);

// Replaces box and atoms. The same candidate on every rank; collective.
void place_candidate(LAMMPS_NS::LAMMPS *lmp, LAMMPS_NS::FixEntropy *fix, const Candidate &c);

// Box and atoms as they are, by atom ID, wrapped; complete on rank 0 of the world; collective.
Candidate collect_candidate(LAMMPS_NS::LAMMPS *lmp, LAMMPS_NS::FixEntropy *fix);

// Moments of the present configuration at its last evaluation; the same on every rank; collective.
Moments collect_moments(LAMMPS_NS::LAMMPS *lmp, LAMMPS_NS::FixEntropy *fix);

// Features [natoms][ncoeff] at the last evaluation, by atom ID (1..natoms); complete on rank 0 of
// the world; collective.
std::vector<double> collect_features(LAMMPS_NS::LAMMPS *lmp, LAMMPS_NS::FixEntropy *fix);

// Features of the atoms as placed (a run of zero steps); collective.
void evaluate_features(LAMMPS_NS::LAMMPS *lmp, LAMMPS_NS::FixEntropy *fix);

// One input line that prints nothing, unless it fails.
void quiet_command(LAMMPS_NS::LAMMPS *lmp, const std::string &line);

}    // namespace smax

#endif
