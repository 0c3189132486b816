#include "generator.h"

#include "cell_tools.h"
#include "failure.h"
#include "fix_entropy.h"

#include "comm.h"
#include "platform.h"
#include "universe.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

using namespace LAMMPS_NS;
using namespace smax;

namespace {
constexpr size_t MAX_OUTBOX = 4;
}    // namespace

Generator::Generator(LAMMPS *l, FixEntropy *f, const GeneratorOptions &o) :
    lmp(l), fix(f), opt(o), exchange(l), applied(0), stopped(false), started(platform::walltime()),
    waited(0.0), kernel_before(f->tally.kernel), reduce_before(f->tally.reduce),
    evaluations_before(f->tally.atom_evaluations)
{
  if (opt.lag == 0) opt.lag = exchange.partitions() > 1 ? 8 : 1;
  fix->set_tolerant(true);
}

Generator::~Generator()
{
  fix->poll = nullptr;
  fix->set_tolerant(false);
}

void Generator::run()
{
  open();
  loop();
  finish();
  summary();
}

/* ----------------------------------------------------------------------
   the loop
------------------------------------------------------------------------- */

void Generator::loop()
{
  const int64_t P = exchange.partitions();
  if (lmp->comm->me == 0 && (P > 1)) fix->poll = [this] { listen(); };
  int64_t index = head_start.state.next_index;
  while (index % P != exchange.partition()) index++;
  for (; catch_up(index); index += P) submit(try_candidate(index));
  fix->poll = nullptr;
}

// No move of the atoms brings an atom away from its own images: the edges of a reduced cell.

bool Generator::images_too_close(const Candidate &c, Result &r) const
{
  const double edge = sqrt(
      MIN(c.lx * c.lx, MIN(c.xy * c.xy + c.ly * c.ly, c.xz * c.xz + c.yz * c.yz + c.lz * c.lz)));
  r.distance = edge;
  r.ratio = edge / (2.0 * *std::max_element(c.radius.begin(), c.radius.end()));
  return r.distance < opt.accept.distance || r.ratio < opt.accept.ratio;
}

Result Generator::try_candidate(int64_t index)
{
  const double start = platform::walltime();
  const auto before = fix->tally;
  Candidate c;
  try {
    c = make_candidate(opt.recipe, opt.seed, uint64_t(index));
  } catch (std::exception &e) {
    fail_partition(lmp, fmt::format("entropy_generate: candidate {}: {}", index, e.what()));
  }
  Result r;
  r.index = index;
  if (images_too_close(c, r)) {
    r.moments = Moments(fix->ncoeff());
    r.atoms = std::move(c);
    r.seconds = platform::walltime() - start;
    return r;
  }
  place_candidate(lmp, fix, c);
  fix->set_term(FixEntropy::Term::Core);
  quiet_command(
      lmp, fmt::format("minimize 0.0 {} {} {}", opt.ftol, opt.core_steps, 10 * opt.core_steps));
  fix->set_term(FixEntropy::Term::Full);
  quiet_command(lmp, fmt::format("minimize 0.0 {} {} {}", opt.ftol, opt.steps, 10 * opt.steps));

  r.moments = collect_moments(lmp, fix);
  r.ratio = fix->min_ratio();
  r.distance = fix->min_distance();
  r.atoms = collect_candidate(lmp, fix);
  r.evaluations = fix->tally.evaluations - before.evaluations;
  r.seconds = platform::walltime() - start;
  return r;
}

// Rows of the table that came in while LAMMPS was mute.

void Generator::speak()
{
  tell(lmp, unsaid);
  unsaid.clear();
}

void Generator::hear(const Message &m)
{
  if (is_stop(m))
    stopped = true;
  else
    decisions.push_back(m);
}

// Takes in what has come; never waits. Rank 0 of each partition.

void Generator::listen()
{
  Message m;
  while (exchange.receive_decision(m)) hear(m);
  exchange.pending();
  if (!committee) return;
  try {
    while (exchange.receive_result(m)) committee->take(Result::unpack(m));
  } catch (std::exception &e) {
    fail_here(lmp, fmt::format("entropy_generate: {}", e.what()));
  }
}

// Brings our dataset to the state that candidate index is to see; false if the run is over.
// Reproducible: every decision up to index - P lag, and no later one, which is the only wait.

bool Generator::catch_up(int64_t index)
{
  const double start = platform::walltime();
  const int64_t need = opt.reproducible ? index - int64_t(exchange.partitions()) * opt.lag + 1 : 0;
  while (true) {
    Message m;
    int what = 0;    // 0: nothing more to do, 1: a decision, 2: stop
    if (lmp->comm->me == 0) {
      listen();
      speak();
      while (exchange.pending() > MAX_OUTBOX) listen();
      auto next_is_due = [&] {
        return !decisions.empty() &&
               (!opt.reproducible || unpack_decision(decisions.front()).index < need);
      };
      while (!stopped && !next_is_due() && applied < need) {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
        listen();
      }
      what = stopped ? 2 : (next_is_due() ? 1 : 0);
      if (what == 1) {
        m = decisions.front();
        decisions.pop_front();
      }
    }
    int head[2] = {what, int(m.size())};
    MPI_Bcast(head, 2, MPI_INT, 0, lmp->world);
    if (head[0] == 0) break;
    m.resize(head[1]);
    MPI_Bcast(m.data(), head[1], MPI_DOUBLE, 0, lmp->world);
    if (head[0] == 2) {
      stopped = true;
      break;
    }
    apply(m);
  }
  waited += platform::walltime() - start;
  return !stopped;
}

void Generator::apply(const Message &m)
{
  const Decision d = unpack_decision(m);
  applied = std::max(applied, d.index + 1);
  if (!d.delta.empty()) fix->dataset().add(Moments::unpack(fix->ncoeff(), d.delta.data()));
}

void Generator::submit(const Result &result)
{
  if (lmp->comm->me != 0) return;
  if (!committee) {
    exchange.send_to_chair(result.pack());
    return;
  }
  try {
    committee->take(result);
  } catch (std::exception &e) {
    fail_here(lmp, fmt::format("entropy_generate: {}", e.what()));
  }
  speak();
}

/* ----------------------------------------------------------------------
   every partition has stopped: drain the mail, leave the same dataset everywhere
------------------------------------------------------------------------- */

void Generator::finish()
{
  MPI_Request barrier;
  int done = 0;
  if (lmp->comm->me == 0) {
    while (exchange.pending()) listen();
  }
  MPI_Ibarrier(lmp->universe->uworld, &barrier);
  while (!done) {
    if (lmp->comm->me == 0) listen();
    MPI_Test(&barrier, &done, MPI_STATUS_IGNORE);
  }
  try {
    if (committee) committee->close();
  } catch (std::exception &e) {
    fail_here(lmp, fmt::format("entropy_generate: {}", e.what()));
  }
  speak();
  if (committee) fix->dataset() = committee->dataset();
  share(fix->dataset());
  fix->reset_term();
}

void Generator::summary()
{
  const double total = platform::walltime() - started;
  const auto &t = fix->tally;
  double io = committee ? committee->io_seconds() : 0.0;
  // rank 0 of each partition speaks for it
  double mine[5] = {0.0, 0.0, 0.0, 0.0, 0.0}, sum[5];
  if (lmp->comm->me == 0) {
    mine[0] = t.kernel - kernel_before;
    mine[1] = waited + t.reduce - reduce_before;
    mine[2] = io;
    mine[3] = total;
    mine[4] = double(t.atom_evaluations - evaluations_before);
  }
  MPI_Reduce(mine, sum, 5, MPI_DOUBLE, MPI_SUM, 0, lmp->universe->uworld);
  if (!committee) return;
  const RunState &s = committee->dataset().state;
  const auto share = [&](double x) { return 100.0 * x / sum[3]; };
  std::string text =
      fmt::format("entropy_generate: accepted {} of {} tried ({:.1f} %); rejected {} for entropy, "
                  "{} for distance\n",
                  s.frames, s.tried, s.tried ? 100.0 * double(s.frames) / double(s.tried) : 0.0,
                  s.rejected_entropy, s.rejected_distance);
  if (committee->tried_now > 0)
    text +=
        fmt::format("  {:.1f} s for {} accepted now: {:.4f} s per accepted configuration, "
                    "{:.0f} atom-evaluations/s\n",
                    total, committee->accepted_now,
                    total / double(std::max<int64_t>(1, committee->accepted_now)), sum[4] / total);
  text += fmt::format("  time: kernel {:.1f} %, LAMMPS {:.1f} %, exchange {:.1f} %, I/O {:.1f} %\n",
                      share(sum[0]), share(sum[3] - sum[0] - sum[1] - sum[2]), share(sum[1]),
                      share(sum[2]));
  if (s.frames < opt.nconf)
    text += fmt::format("  stopped at max_tries {} before nconf {}\n", opt.max_tries, opt.nconf);
  text +=
      fmt::format("  S = {:.6f} nats, N = {} vectors; wrote {}.extxyz, {}.moments, {}.table.csv\n",
                  committee->dataset().objective().entropy(), committee->dataset().moments.count,
                  opt.out, opt.out, opt.out);
  tell(lmp, text);
}
