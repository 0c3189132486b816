// A GRACE model of one or two layers as plain arrays: what docs/grace_native.md describes. All
// normalising factors are in the weights.

#ifndef SMAX_GRACE_MODEL_H
#define SMAX_GRACE_MODEL_H

#include <string>
#include <vector>

namespace smax {

// What one tensor gives to a collection: out[to] += in[from] W[pair]
struct GraceSource {
  int tensor = 0;
  std::vector<int> from, to, pair;    // [nterms]
  std::vector<double> weight;         // [elements or 1][pairs][n_in][channels]
  int elements = 1;                   // of the centre that have weights of their own
};

// One step from tensors to a tensor [function][channel]; tensor 0 is the basis of the layer.
struct GraceStep {
  enum class Kind { Connect, Product, Couple, Collect };
  Kind kind = Kind::Connect;
  std::string name;
  int left = 0, right = 0;    // tensors of a connection or product
  int nout = 0;               // functions of the new tensor
  int channels = 0;           // channels of the new tensor

  // Connect: out[f] = left[f] L[group[f]], then out[to] += right[from] R[pair]
  std::vector<int> group;                           // [nout]
  std::vector<int> to, from, pair;                  // [nterms]
  std::vector<double> left_weight, right_weight;    // [groups or pairs][n_in][channels]

  // Product, by channel: out[target] += coef left[a] right[b]
  // Couple, of tensor 0 of the second layer: out[target] += coef A[a][b], harmonic a, function b
  std::vector<int> a, b, target;    // [nterms]
  std::vector<double> coef;

  std::vector<GraceSource> sources;    // of a collection
};

// Tensor 0 of the first layer is the sum over neighbours of R_nl Y_lm indicator_n: A[lm][n]. That
// of the second is the sum of R_nl Y_lm M_bn, where M are the functions that the neighbour's first
// layer made, and after them the indicator: A[lm][b][n].
struct GraceLayer {
  int lmax = 0;
  int channels = 0;    // of tensor 0

  // Perceptron of the radial functions, silu after each hidden layer
  std::vector<int> hidden;                    // widths
  std::vector<std::vector<double>> radial;    // [n_in][n_out] each
  std::vector<double> radial_out;             // [l][hidden][channel]
  std::vector<double> indicator;              // [neighbour element][channel]
  std::vector<double> inverse_neighbours;     // [centre element]

  std::vector<GraceStep> steps;
  int density = 0;             // tensor of one function, whose channels are the densities
  std::vector<double> norm;    // of all densities, of all but the first, or of none

  int tensor_channels(int tensor) const { return tensor ? steps[tensor - 1].channels : channels; }
};

struct GraceModel {
  std::vector<std::string> elements;
  int basis_size = 0;                // Chebyshev polynomials
  int cutoff_power = 0;              // p of the cutoff function
  std::vector<double> cutoff;        // [centre][neighbour], Angstrom
  std::vector<GraceLayer> layers;    // one or two
  int message = 0;                   // tensor of the first layer that neighbours are told

  // Readout of the sum of the layers' densities: the first enters linearly, the others by a
  // perceptron. A density x with a norm s is s x / sqrt(mean of x^2 + 1e-10).
  enum class Activation { Silu, Tanh };
  Activation activation = Activation::Silu;
  int density = 0;    // how many
  int energy_hidden = 0;
  std::vector<double> energy_in;     // [density - 1][hidden]
  std::vector<double> energy_out;    // [hidden]
  double scale = 1.0;
  std::vector<double> shift;    // [element], eV

  bool zbl = false;
  std::vector<double> zbl_cutoff;    // [centre][neighbour]
  double zbl_width = 0.0;
  double zbl_coulomb = 14.399645351950543;    // e^2 / (4 pi eps0), eV Angstrom: CODATA 2014, as ASE
  std::vector<double> zbl_number;             // [element] atomic number

  double max_cutoff() const;
  int message_functions() const;              // 0 of a one-layer model
  int basis_functions(size_t layer) const;    // of tensor 0
  // Throws std::runtime_error with one sentence if sizes or indices do not fit together.
  void check() const;
};

}    // namespace smax

#endif
