// From the basis A to the energy of each atom of a batch, and back: tensors
// [function][atom][channel] connected, multiplied, summed to densities, read out.

#ifndef SMAX_GRACE_NETWORK_H
#define SMAX_GRACE_NETWORK_H

#include "grace_batch.h"
#include "grace_kernel.h"
#include "grace_model.h"

namespace smax {
namespace grace {

struct Tensor {
  Tensor(int functions, int channels) : nfunc(functions), nch(padded(channels)) {}

  int nfunc, nch;    // nch padded
  AlignedVector value, own_grad;
  bool kept = false;    // its value is needed after its gradient is begun: that has its own room

  AlignedVector &grad() { return kept ? own_grad : value; }
  const AlignedVector &grad() const { return kept ? own_grad : value; }
};

class Network {
 public:
  Network(const GraceModel &model, const Kernel &kernel);

  // Tensor 0, to be filled before forward(); its gradient after backward().
  double *basis(int natoms) { return room(tensors[0].value, size(tensors[0], natoms)); }
  const double *basis_gradient() const { return tensors[0].grad().data(); }

  void forward(const Batch &batch, double *energy);    // energy[batch.natoms]
  void backward(const Batch &batch);
  double memory_usage() const;

 private:
  // out[first .. first + count) += in[from ..) weight, all of one weight
  struct Run {
    int out, in, first, from, count;
    bool add, add_back;
    AlignedVector weight, back;    // [n_in][n_out] and [n_out][n_in], padded, in panels
  };
  struct SparseTable {
    std::vector<int> start, left, right;
    std::vector<double> coef;
    Bilinear view(const Tensor &out, const Tensor &p, const Tensor &q) const;
  };
  struct Step {
    std::vector<int> outs;    // one, but for connections of the same two tensors, done together
    std::vector<int> zero;    // gradients to be zeroed before those of this step are added
    int left, right;
    std::vector<Run> runs;                     // of connections; none: a product
    SparseTable product, to_left, to_right;    // to_right is empty where left is right
    bool add_left, add_right;                  // to a gradient that is there
  };
  struct Density {
    int tensor;
    bool zero;    // its gradient first
    std::vector<int> function;
    AlignedVector weight,
        back;    // [element][function][channel][density] and [..][density][channel]
  };

  const Kernel &kernel;
  std::vector<Tensor> tensors;
  std::vector<int> used;    // channels of each tensor, without padding
  std::vector<Step> steps;
  std::vector<Density> densities;
  size_t weights = 0;    // numbers in all runs
  int nrho, nrho_pad, nhid;
  AlignedVector energy_in, energy_back,
      energy_out;    // [density][hidden], [hidden][density], [hidden]
  double scale;
  std::vector<double> shift;
  AlignedVector rho, drho, hidden, slope, work;

  static size_t size(const Tensor &t, int natoms) { return size_t(t.nfunc) * natoms * t.nch; }
  void add_connection(const GraceStep &s, Step &step);
  void add_run(Step &step, const GraceStep &s, bool right, int first, int from, int count, int w);
  void add_product(const GraceStep &s, Step &step);
  void add_density(const GraceModel &m, const GraceReduce &r);
  void add_readout(const GraceModel &m);
  void join(Step &&step);
  void plan_backward();
  bool in_place(int tensor) const;
  bool first_comes_first(const Step &s) const;
  void run_forward(const Step &s, int natoms);
  void run_backward(const Step &s, int natoms);
  void multiply_back(const Step &s, int natoms);
  void sum_density(const Density &q, const Batch &b, double *density) const;
  void spread_density(const Density &q, const Batch &b);
  void zero_gradient(int tensor, int natoms);
  template <class F> void by_element(const Batch &b, F &&f) const;
};

}    // namespace grace
}    // namespace smax

#endif
