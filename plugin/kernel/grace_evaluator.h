// The parts of a GraceEvaluator, for grace.cpp and grace_layers.cpp alone.

#ifndef SMAX_GRACE_EVALUATOR_H
#define SMAX_GRACE_EVALUATOR_H

#include "grace.h"

#include "grace_basis.h"
#include "grace_gather.h"
#include "grace_message_basis.h"
#include "grace_network.h"
#include "grace_readout.h"
#include "grace_zbl.h"

namespace smax {

struct GraceEvaluator::Impl {
  Isa isa;
  const grace::Kernel &kernel;
  grace::Gather gather;
  grace::Basis basis;
  grace::Network network;
  grace::Readout readout;
  grace::Zbl zbl;
  // of the second layer
  int told, channels;    // functions and channels of a message
  std::unique_ptr<grace::MessageBasis> second_basis;
  std::unique_ptr<grace::Network> second_network;

  grace::Batch batch;
  std::vector<double> energy;     // of the batch
  AlignedVector first_density;    // of the batch, and its gradient

  Impl(const GraceModel &model, Isa isa, int batch);

  void put_message(const GraceBonds &bonds, double *messages);
  void take_gradients(const GraceBonds &bonds, const double *dmessages, const double *ddensities);
};

}    // namespace smax

#endif
