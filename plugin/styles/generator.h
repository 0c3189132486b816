// The greedy loop over candidates, on any number of ranks and partitions.

#ifndef SMAX_GENERATOR_H
#define SMAX_GENERATOR_H

#include "committee.h"
#include "exchange.h"
#include "generator_options.h"

#include <deque>
#include <memory>

namespace LAMMPS_NS {
class LAMMPS;
class FixEntropy;
}    // namespace LAMMPS_NS

namespace smax {

class Generator {
 public:
  Generator(LAMMPS_NS::LAMMPS *lmp, LAMMPS_NS::FixEntropy *fix, const GeneratorOptions &options);
  ~Generator();
  void run();

 private:
  LAMMPS_NS::LAMMPS *lmp;
  LAMMPS_NS::FixEntropy *fix;
  GeneratorOptions opt;
  Exchange exchange;
  std::unique_ptr<RunFiles> files;         // on the chair's rank 0 only
  std::unique_ptr<Committee> committee;    // likewise
  Dataset head_start;                      // as decided when the run began
  std::deque<Message> decisions;           // heard, not yet applied
  int64_t applied;                         // every decision below it is in our dataset
  bool stopped;
  double started, waited;
  double kernel_before, reduce_before;    // of the fix, when this run began
  int64_t evaluations_before;
  std::string unsaid;    // LAMMPS is mute during a minimisation

  void open();
  void share(Dataset &data);
  Dataset resume(const Dataset &asked);
  void check_recipe(const RunState &state) const;
  void start_state(Dataset &data, bool keep_window);
  void make_reference();
  Moments random_cell(int64_t index, std::string &frame);
  void loop();
  bool images_too_close(const Candidate &c, Result &r) const;
  Result try_candidate(int64_t index);
  void speak();
  void hear(const Message &m);
  void listen();
  bool catch_up(int64_t index);
  void apply(const Message &decision);
  void submit(const Result &result);
  void finish();
  void summary();
};

}    // namespace smax

#endif
