// From the basis of a layer to its densities and what it tells the neighbours, for the atoms of a
// batch, and back: tensors [function][atom][channel] connected, coupled, multiplied, collected.

#ifndef SMAX_GRACE_NETWORK_H
#define SMAX_GRACE_NETWORK_H

#include "grace_batch.h"
#include "grace_kernel.h"
#include "grace_model.h"

namespace smax {
namespace grace {

struct Tensor {
  Tensor(int functions, int channels) : nfunc(functions), used(channels), nch(padded(channels)) {}

  int nfunc, used, nch;    // channels without and with padding
  AlignedVector value, own_grad;
  bool kept = false;    // its value is needed after its gradient is begun: that has its own room

  AlignedVector &grad() { return kept ? own_grad : value; }
  const AlignedVector &grad() const { return kept ? own_grad : value; }
};

class Network {
 public:
  Network(const GraceModel &model, size_t layer, const Kernel &kernel);

  // Tensor 0, to be filled before forward(); its gradient after backward().
  double *basis(int natoms) { return room(tensors[0].value, size(tensors[0], natoms)); }
  const double *basis_gradient() const { return tensors[0].grad().data(); }

  // Densities [atom][padded] and message [function][atom][padded], after forward(); backward()
  // wants their gradients, which may lie where the values were.
  const double *densities() const { return tensors[density].value.data(); }
  const double *message() const { return tensors[told].value.data(); }
  double *density_gradient(int natoms) { return gradient(tensors[density], natoms); }
  double *message_gradient(int natoms) { return gradient(tensors[told], natoms); }

  void forward(const Batch &batch);
  void forward_for_backward(const Batch &batch);    // only what backward() needs
  void backward(const Batch &batch);
  double memory_usage() const;

 private:
  // out[first .. first + count) += in[from ..) weight, all of one weight
  struct Run {
    int out, in, first, from, count;
    bool add, add_back;
    bool by_element;               // of the atom; else there is one weight
    AlignedVector weight, back;    // [element][n_in][n_out], [element][n_out][n_in], in panels
  };
  struct SparseTable {
    std::vector<int> start, left, right;
    std::vector<double> coef;
    Bilinear view(const Tensor &out, const Tensor &p, const Tensor &q) const;
  };
  struct Step {
    enum class Kind { Connect, Product, Couple, Collect };
    Kind kind;
    std::vector<int> outs;     // one, but for connections of the same two tensors, done together
    std::vector<int> clear;    // values to be zeroed before those of this step are added
    std::vector<int> zero;     // gradients to be zeroed before those of this step are added
    int left, right;
    std::vector<Run> runs;                     // of connections and collections
    SparseTable product, to_left, to_right;    // to_right is empty where left is right
    bool add_left, add_right;                  // to a gradient that is there
    bool needed;                               // its values, by backward()
  };

  const Kernel &kernel;
  const int density, told;    // tensors; told is 0 if there is no message
  const int hears;            // functions of a neighbour's message
  std::vector<Tensor> tensors;
  std::vector<Step> steps;
  size_t weights = 0;    // numbers in all runs
  AlignedVector work;

  static size_t size(const Tensor &t, int natoms) { return size_t(t.nfunc) * natoms * t.nch; }
  static double *gradient(Tensor &t, int natoms) { return room(t.grad(), size(t, natoms)); }
  void add_connection(const GraceStep &s, Step &step);
  void add_run(Step &step, const GraceStep &s, bool right, int first, int from, int count, int w);
  void add_product(const GraceStep &s, Step &step);
  void add_coupling(const GraceStep &s, Step &step);
  void add_collection(const GraceStep &s, const GraceSource &q, int out);
  Run make_run(const GraceStep &s, int out, int in, int nelement);
  void add_weight(Run &run, int element, const double *w) const;
  void pack_run(Run &run) const;
  void join(Step &&step);
  void place(Step &&step);
  void plan_backward();
  void plan_forward();
  bool in_place(int tensor) const;
  bool first_comes_first(const Step &s) const;
  void run_forward(const Step &s, const Batch &b);
  void run_backward(const Step &s, const Batch &b);
  void multiply_back(const Step &s, int natoms);
  template <class F> void by_element(const Run &r, const Batch &b, F &&f) const;
};

}    // namespace grace
}    // namespace smax

#endif
