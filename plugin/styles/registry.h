// Datasets of a LAMMPS instance by name: they outlive the fix (clear, unfix).

#ifndef SMAX_REGISTRY_H
#define SMAX_REGISTRY_H

#include "dataset.h"

#include <memory>
#include <string>

namespace LAMMPS_NS {
class LAMMPS;
}

namespace smax {
std::shared_ptr<Dataset> find_dataset(LAMMPS_NS::LAMMPS *lmp, const std::string &name);
void store_dataset(LAMMPS_NS::LAMMPS *lmp, const std::string &name, std::shared_ptr<Dataset> data);
}    // namespace smax

#endif
