// A GRACE model as functions of bonds: padded inputs, signatures of the SavedModel, no host.

#ifndef SMAX_GRACE_CALLS_H
#define SMAX_GRACE_CALLS_H

#include "padding.h"
#include "session.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace smax {

// Centres and all bonds from them to neighbours inside the cutoff.
struct BondBatch {
  std::vector<int32_t> mu;            // [centre] element
  std::vector<int32_t> far_mu;        // [far] elements of neighbours that are no centres here
  std::vector<int32_t> ind_i;         // [bond] centre
  std::vector<int32_t> ind_j;         // [bond] centre, or centres + far; -1 if it does not matter
  std::vector<int32_t> mu_i, mu_j;    // [bond] elements of both
  std::vector<double> r;              // [bond][3] x_j - x_i, Angstrom

  size_t centres() const { return mu.size(); }
  size_t bonds() const { return ind_i.size(); }
  void clear();
};

// A tensor that the first layer gives to the second.
struct Message {
  std::string name;
  size_t width;    // values of one atom
  bool far;        // a centre reads those of its neighbours too
};

class GraceCalls {
 public:
  // far: metadata.yaml's word on each message
  GraceCalls(const std::string &folder, const std::map<std::string, bool> &far, double cutoff,
             int threads);

  bool has_layers() const { return !layer_messages.empty(); }
  const std::vector<Message> &messages() const { return layer_messages; }
  // Why there are no layers, for an error
  void require_layers() const;
  void let_vary(bool centres_vary);    // atoms come and go: room for more

  // energy [centre] eV; force [bond][3] eV/Angstrom on the neighbour, taken from the centre
  void whole(const BondBatch &batch, std::vector<double> &energy, std::vector<double> &force);
  // Does the energy depend on which atom a neighbour is, not just on where it is? (2 layers)
  bool passes_messages(const BondBatch &batch);

  // value [message]: [centre][width]
  void forward_1(const BondBatch &batch, std::vector<std::vector<double>> &value);
  // value, gradient [message]: [centre + far][width], or [centre][width] if not far
  void backward_2(const BondBatch &batch, const std::vector<std::vector<double>> &value,
                  std::vector<double> &energy, std::vector<double> &force,
                  std::vector<std::vector<double>> &gradient);
  void backward_1(const BondBatch &batch, const std::vector<std::vector<double>> &gradient,
                  std::vector<double> &force);
  const std::string &tensorflow_version() const { return version; }
  double seconds() const;         // in TensorFlow so far
  double compilations() const;    // so far: padded sizes of all signatures

 private:
  std::shared_ptr<const tf::Session> session;
  std::vector<Message> layer_messages;
  std::unique_ptr<tf::Call> compute, forward1, backward2, backward1;
  Capacity centre_room, far_room, bond_room;
  bool varying = false;
  double beyond;    // a component of fake bonds: longer than the cutoff
  std::string version;

  void open_layers(const std::map<std::string, bool> &far);
  int64_t fill(tf::Call &call, const BondBatch &batch, bool layers);
  void fill_bonds(tf::Call &call, const BondBatch &batch, int64_t padded_centres);
};

}    // namespace smax

#endif
