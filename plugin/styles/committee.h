// The one place where candidates are accepted or rejected, and where the run's files are written:
// rank 0 of the first partition.

#ifndef SMAX_COMMITTEE_H
#define SMAX_COMMITTEE_H

#include "exchange.h"
#include "generator_options.h"
#include "run_files.h"

#include <functional>
#include <map>
#include <string>

namespace smax {

// What a partition found for one candidate.
struct Result {
  int64_t index = 0;
  Candidate atoms;
  int64_t evaluations = 0;
  double seconds = 0.0;
  double ratio = 0.0, distance = 0.0;    // closest pair: over r_i + r_j, and in Angstrom
  Moments moments;

  Message pack() const;
  static Result unpack(const Message &m);
};

// "" or why the candidate can't be accepted whatever its entropy.
std::string forbidden(const Result &r, const Acceptance &accept);

// info of a frame, in the order of the file
std::vector<std::pair<std::string, std::string>> frame_info(const Result &r, uint64_t seed,
                                                            double S, double dS, Mode mode);

// A decision as a message: index, accepted, then the packed moments if accepted.
Message pack_decision(const Decision &d);
Decision unpack_decision(const Message &m);
Message stop_message();
bool is_stop(const Message &m);

class Committee {
 public:
  using Print = std::function<void(const std::string &)>;
  using Announce = std::function<void(const Message &)>;

  // head: the dataset as decided; files: created or resumed, or null: nothing is written.
  Committee(Dataset head, RunFiles *files, const GeneratorOptions &options, int partitions,
            Print print, Announce announce);
  void take(const Result &r);    // decides as soon as the order allows
  bool finished() const { return done; }
  Dataset &dataset() { return head; }
  double io_seconds() const { return io; }
  int64_t decided_at_start() const { return start_frames; }
  void close();    // last checkpoint

  int64_t accepted_now = 0, tried_now = 0;    // by this run, since its start

 private:
  Dataset head;
  RunFiles *files;
  const GeneratorOptions &opt;
  int partitions;
  Print print;
  Announce announce;
  std::map<int64_t, Result> waiting;    // reproducible order
  bool done = false;
  double io = 0.0;
  int64_t start_frames;
  double born, seconds_before;    // wall clock: when this run began, and all runs before it
  int since_checkpoint = 0, checkpoint_every = 1;
  double last_checkpoint = 0.0;
  std::string unprinted;    // rows whose frames no checkpoint counts yet

  void decide(const Result &r);
  void remember(const Decision &d);
  void checkpoint();
  std::string row(const Result &r, double S, double dS, const std::string &verdict) const;
};

// Heading of the table in the log.
std::string table_heading();

}    // namespace smax

#endif
