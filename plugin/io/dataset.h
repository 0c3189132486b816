// A dataset as the entropy sees it: descriptor, moments, reference variances; and its file.
//
// File PREFIX.moments: a NumPy .npz, version 1. Keys: docs/moments.md.

#ifndef SMAX_DATASET_H
#define SMAX_DATASET_H

#include "bispectrum.h"
#include "entropy.h"
#include "moments.h"

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace smax {

enum class Mode { Atom, Config };    // one vector per atom, or their mean per configuration
const char *mode_name(Mode mode);

struct Descriptor {
  BispectrumParams snap;
  double rcutfac = 3.0;    // R_ij = rcutfac (r_i + r_j)
};

// Where a run stands: what a restart needs beside the moments.
struct RunState {
  uint64_t seed = 0;
  int64_t next_index = 0;    // every candidate below it is decided
  int64_t frames = 0;        // accepted, as written
  int64_t tried = 0;
  int64_t rejected_entropy = 0, rejected_distance = 0;
  int64_t evaluations = 0;         // energy-and-force evaluations
  int64_t atom_evaluations = 0;    // the same times atoms
  int64_t file_bytes = 0, table_bytes = 0;
  uint32_t file_crc = 0;    // CRC-32 of the first file_bytes bytes
  int64_t partitions = 1, lag = 0;
  double seconds = 0.0;    // wall time of all runs so far
};

// Decision on one candidate, as the partitions tell each other.
struct Decision {
  int64_t index = 0;
  std::vector<double> delta;    // packed moments; empty if rejected
};

struct Dataset {
  Descriptor descriptor;
  Mode mode = Mode::Atom;
  double eps = 1e-6;
  Moments moments;                 // D
  Moments reference;               // of the random core-relaxed cells
  std::vector<double> variance;    // diagonal of R; empty until there is a reference
  RunState state;
  Moments prior;                  // what D held before the first frame of this run
  Moments trail;                  // D before the decisions of the window
  std::deque<Decision> window;    // decisions that a lagging partition has not seen yet

  int nfeatures() const { return Bispectrum::count(descriptor.snap.twojmax); }
  bool has_reference() const { return !variance.empty(); }
  // Sets variance from the moments of random cells. Throws std::runtime_error if one is not
  // positive.
  void set_reference(const Moments &random);
  // Objective of D as it is now; factored again only after a change.
  EntropyObjective &objective();
  void add(const Moments &delta);
  // One sentence that names the first difference that forbids a merge; empty if there is none.
  std::string incompatible(const Dataset &other) const;

  // Atomic write; std::runtime_error with path and reason.
  void save(const std::string &path) const;
  static Dataset load(const std::string &path);
  // The same as the file's content; errors of parse() speak of `name`.
  std::string bytes() const;
  static Dataset parse(const std::string &bytes, const std::string &name);

 private:
  std::vector<EntropyObjective> factored;    // empty or one
};

}    // namespace smax

#endif
