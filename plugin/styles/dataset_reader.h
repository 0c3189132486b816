// Datasets from files: moments of another run, or the features of any extended XYZ file.

#ifndef SMAX_DATASET_READER_H
#define SMAX_DATASET_READER_H

#include "dataset.h"

#include <string>

namespace LAMMPS_NS {
class LAMMPS;
class FixEntropy;
}    // namespace LAMMPS_NS

namespace smax {

// Merges the moments of a file into data, which adopts its reference if it has none.
// Throws std::runtime_error: the file, what was found, what was expected.
void read_moments(Dataset &data, const std::string &path);

// Moments of every frame of an extended XYZ file, frames shared out over the partitions; collective
// over the universe. Radii: column r_eff, or the default radius of the element's type.
Moments features_of_file(LAMMPS_NS::LAMMPS *lmp, LAMMPS_NS::FixEntropy *fix,
                         const std::string &path);

}    // namespace smax

#endif
