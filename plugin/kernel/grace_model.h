// A one-layer GRACE model as plain arrays: what docs/grace_native.md describes. All normalising
// factors are in the weights.

#ifndef SMAX_GRACE_MODEL_H
#define SMAX_GRACE_MODEL_H

#include <string>
#include <vector>

namespace smax {

// One step from tensors to a tensor [function][channel]; tensor 0 is the basis A[lm][n].
struct GraceStep {
  enum class Kind { Connect, Product };
  Kind kind = Kind::Connect;
  std::string name;
  int left = 0, right = 0;    // tensors
  int nout = 0;               // functions of the new tensor
  int channels = 0;           // channels of the new tensor

  // Connect: out[f] = left[f] L[group[f]], then out[to] += right[from] R[pair]
  std::vector<int> group;                           // [nout]
  std::vector<int> to, from, pair;                  // [nterms]
  std::vector<double> left_weight, right_weight;    // [groups or pairs][n_in][channels]

  // Product, by channel: out[target] += coef left[a] right[b]
  std::vector<int> a, b, target;    // [nterms]
  std::vector<double> coef;
};

// Density rho[o] += sum over functions and channels of X weight
struct GraceReduce {
  int tensor = 0;
  std::vector<int> function;
  std::vector<double> weight;    // [element][function][channel][density]
};

struct GraceModel {
  std::vector<std::string> elements;
  int lmax = 0;
  int channels = 0;              // of A
  int basis_size = 0;            // Chebyshev polynomials
  int cutoff_power = 0;          // p of the cutoff function
  std::vector<double> cutoff;    // [centre][neighbour], Angstrom

  // Perceptron of the radial functions, silu after each hidden layer
  std::vector<int> hidden;                    // widths
  std::vector<std::vector<double>> radial;    // [n_in][n_out] each
  std::vector<double> radial_out;             // [l][hidden][channel]
  std::vector<double> indicator;              // [neighbour element][channel]
  std::vector<double> inverse_neighbours;     // [centre element]

  std::vector<GraceStep> steps;
  std::vector<GraceReduce> reduce;
  int density = 0;    // the first enters linearly, the others by a perceptron
  int energy_hidden = 0;
  std::vector<double> energy_in;     // [density - 1][hidden]
  std::vector<double> energy_out;    // [hidden]
  double scale = 1.0;
  std::vector<double> shift;    // [element], eV

  bool zbl = false;
  std::vector<double> zbl_cutoff;    // [centre][neighbour]
  double zbl_width = 0.0;
  std::vector<double> zbl_number;    // [element] atomic number

  double max_cutoff() const;
  // Throws std::runtime_error with one sentence if sizes or indices do not fit together.
  void check() const;
};

}    // namespace smax

#endif
