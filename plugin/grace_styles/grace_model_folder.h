// What a folder of a GRACE model says beside its weights: metadata.yaml and references.yaml.

#ifndef SMAX_GRACE_MODEL_FOLDER_H
#define SMAX_GRACE_MODEL_FOLDER_H

#include <map>
#include <string>
#include <vector>

namespace smax {

struct GraceMetadata {
  std::vector<std::string> elements;    // in the order of the model's element indices
  double cutoff = 0.0;                  // Angstrom, the largest
  std::vector<double> cutoffs;          // [n][n] row by row: centre, neighbour; Angstrom
  // 2-layer models: messages between the layers; true if a centre reads those of its neighbours
  std::map<std::string, bool> messages;

  size_t count() const { return elements.size(); }
  double pair_cutoff(int centre, int neighbour) const
  {
    return cutoffs[size_t(centre) * count() + size_t(neighbour)];
  }
};

// All throw std::runtime_error that names the file and what is wrong with it.
GraceMetadata read_grace_metadata(const std::string &folder);

// From the same keys, wherever they were written (metadata.yaml's text).
GraceMetadata parse_grace_metadata(const std::string &text);

// references.yaml, flat lines "Mo: -10.93": energy of each element, eV per atom, to be added
std::vector<double> read_grace_references(const std::string &folder,
                                          const std::vector<std::string> &elements);

// Words of pair_coeff after the folder, one per atom type: index of the element, -1 for NULL.
std::vector<int> map_grace_types(const std::vector<std::string> &words, int ntypes,
                                 const std::vector<std::string> &elements);

}    // namespace smax

#endif
