// Datasets from files: moments of another run, or the features of any extended XYZ file.

#ifndef SMAX_DATASET_READER_H
#define SMAX_DATASET_READER_H

#include "dataset.h"

#include <cstdint>
#include <string>
#include <vector>

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
Moments moments_of_file(LAMMPS_NS::LAMMPS *lmp, LAMMPS_NS::FixEntropy *fix,
                        const std::string &path);

// The features themselves, in the order of the file; likewise collective.
struct FileFeatures {
  int64_t rows = 0;    // on every rank
  size_t ncoeff = 0;
  std::vector<double> features;    // [rows][ncoeff], on rank 0 of the universe
  std::vector<int64_t> natoms;     // [frames], likewise
  // .npz of both. Throws std::runtime_error.
  void save(const std::string &path) const;
};
FileFeatures features_of_file(LAMMPS_NS::LAMMPS *lmp, LAMMPS_NS::FixEntropy *fix,
                              const std::string &path);

}    // namespace smax

#endif
