#include "generator.h"

#include "cell_tools.h"
#include "extxyz.h"
#include "failure.h"
#include "fix_entropy.h"

#include "comm.h"
#include "error.h"
#include "platform.h"
#include "universe.h"
#include "update.h"
#include "utils.h"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <thread>

using namespace LAMMPS_NS;
using namespace smax;

namespace {
// candidates of the reference are another stream than those of the run
constexpr uint64_t REFERENCE_STREAM = 0x9e3779b97f4a7c15ULL;
constexpr size_t MAX_OUTBOX = 4;

void print(LAMMPS *lmp, const std::string &text)
{
  if (text.empty()) return;
  utils::logmesg(lmp, text);
  // under -partition the terminal belongs to the universe
  if (lmp->universe->existflag)
    for (FILE *fp : {lmp->universe->uscreen, lmp->universe->ulogfile})
      if (fp) {
        fputs(text.c_str(), fp);
        fflush(fp);
      }
  if (lmp->logfile) fflush(lmp->logfile);
}
}    // namespace

Generator::Generator(LAMMPS *l, FixEntropy *f, const GeneratorOptions &o) :
    lmp(l), fix(f), opt(o), exchange(l), applied(0), stopped(false), started(platform::walltime())
{
  if (opt.lag == 0) opt.lag = exchange.partitions() > 1 ? 8 : 1;
}

Generator::~Generator()
{
  fix->poll = nullptr;
}

void Generator::run()
{
  open();
  loop();
  finish();
  summary();
}

/* ----------------------------------------------------------------------
   files, reference, and the same dataset on every rank
------------------------------------------------------------------------- */

void Generator::open()
{
  const bool chair = exchange.chair() && lmp->comm->me == 0;
  Dataset &data = fix->dataset();
  bool resumed = false;
  if (chair) {
    try {
      files = std::make_unique<RunFiles>(opt.out);
      resumed = files->open(opt.restart);
      if (resumed) data = resume(data);
    } catch (std::exception &e) {
      fail_here(lmp, fmt::format("entropy_generate: {}", e.what()));
    }
  }
  int flag = resumed;
  MPI_Bcast(&flag, 1, MPI_INT, 0, lmp->universe->uworld);
  if (flag) {
    if (!chair) data = load_or_stop();
    // nobody decides, and so replaces the file, before every rank has read it
    MPI_Barrier(lmp->universe->uworld);
  } else {
    data.state = RunState();
    data.state.seed = opt.seed;
    if (!data.has_reference()) make_reference();
    data.prior = data.trail = data.moments;
  }
  const int64_t layout[2] = {exchange.partitions(), opt.lag};
  const bool same_layout = data.state.partitions == layout[0] && data.state.lag == layout[1];
  data.state.partitions = layout[0];
  data.state.lag = layout[1];
  start_state(data, flag && same_layout && opt.reproducible);

  if (!chair) return;
  try {
    if (!resumed) files->create();
    auto say = [this](const std::string &text) { print(lmp, text); };
    auto announce = [this](const Message &m) {
      exchange.send_to_all(m);
      hear(m);
    };
    if (resumed)
      print(lmp,
            fmt::format("entropy_generate: {} goes on at candidate {} with {} configurations{}\n",
                        opt.out, head_start.state.next_index, head_start.state.frames,
                        same_layout || !opt.reproducible
                            ? ""
                            : " (another layout: not the same run as without the stop)"));
    print(lmp, table_heading());
    committee = std::make_unique<Committee>(head_start, files.get(), opt, exchange.partitions(),
                                            say, announce);
    if (!resumed) files->checkpoint(committee->dataset());
  } catch (std::exception &e) {
    fail_here(lmp, fmt::format("entropy_generate: {}", e.what()));
  }
}

Dataset Generator::load_or_stop()
{
  try {
    return Dataset::load(opt.out + ".moments");
  } catch (std::exception &e) {
    fail_here(lmp, fmt::format("entropy_generate: {}", e.what()));
  }
  return {};
}

// The dataset of the files, which must be of this run.

Dataset Generator::resume(const Dataset &asked)
{
  const std::string path = files->moments_path();
  Dataset old = Dataset::load(path);
  const std::string differs = asked.incompatible(old);
  if (!differs.empty()) throw std::runtime_error(path + ": " + differs);
  if (old.state.seed != opt.seed)
    throw std::runtime_error(path + ": seed is " + std::to_string(old.state.seed) + ", expected " +
                             std::to_string(opt.seed));
  if (old.eps != asked.eps)
    throw std::runtime_error(path + ": eps is " + shortest(old.eps) + ", expected " +
                             shortest(asked.eps));
  files->resume(old.state);
  check_recipe(old.state);
  return old;
}

// The recipe must give the cells, elements and radii of the first frames: the minimisers move atoms
// only.

void Generator::check_recipe(const RunState &state) const
{
  constexpr int64_t ENOUGH = 20;
  const std::string path = files->frames_path();
  ExtxyzReader reader(path);
  std::ifstream text(path);
  ExtxyzFrame frame;
  std::string line;
  for (int64_t k = 0; k < std::min(state.frames, ENOUGH) && reader.next(frame); k++) {
    std::getline(text, line);
    std::getline(text, line);
    const long long index = std::atoll(line.c_str() + line.find(" index=") + 7);
    for (size_t i = 0; i < frame.z.size(); i++) std::getline(text, line);
    const Candidate c = make_candidate(opt.recipe, state.seed, uint64_t(index));
    const double h[3][3] = {{c.lx, 0.0, 0.0}, {c.xy, c.ly, 0.0}, {c.xz, c.yz, c.lz}};
    if (c.z != frame.z || c.radius != frame.radius ||
        !std::equal(&h[0][0], &h[0][0] + 9, &frame.cell[0][0]))
      throw std::runtime_error(path + ": candidate " + std::to_string(index) +
                               " was made by another recipe, expected the recipe of this run");
  }
}

// Our dataset (the base of the next candidate) is the head without the decisions of the window.

void Generator::start_state(Dataset &data, bool keep_window)
{
  if (!keep_window) {
    data.window.clear();
    data.trail = data.moments;
  }
  head_start = data;
  applied = data.state.next_index;
  if (!data.window.empty()) {
    applied = data.window.front().index;
    for (const Decision &d : data.window) decisions.push_back(pack_decision(d));
    data.window.clear();
    Moments base = data.trail;
    data.moments = Moments(data.nfeatures());
    data.add(base);
  }
}

/* ----------------------------------------------------------------------
   random core-relaxed cells: variances of the features, and something to compare with
------------------------------------------------------------------------- */

void Generator::make_reference()
{
  Dataset &data = fix->dataset();
  const int n = fix->ncoeff(), P = exchange.partitions(), width = int(Moments::packed_size(n));
  const int rows = (opt.reference + P - 1) / P;
  std::vector<double> mine(size_t(rows) * width, 0.0), all(mine.size() * P);
  std::vector<std::string> frames(rows);
  for (int row = 0, k = exchange.partition(); k < opt.reference; row++, k += P)
    random_cell(k, frames[row]).pack(&mine[size_t(row) * width]);

  // one block per partition, told by its rank 0, then merged by index: the layout does not matter
  const int root = lmp->comm->me == 0;
  MPI_Comm roots;
  MPI_Comm_split(lmp->universe->uworld, root, lmp->universe->me, &roots);
  std::string text;
  if (root) {
    text = in_order(roots, frames, opt.reference);
    MPI_Allgather(mine.data(), int(mine.size()), MPI_DOUBLE, all.data(), int(mine.size()),
                  MPI_DOUBLE, roots);
  }
  MPI_Bcast(all.data(), int(all.size()), MPI_DOUBLE, 0, lmp->world);
  Moments total(n);
  for (int k = 0; k < opt.reference; k++)
    total.merge(Moments::unpack(n, &all[(size_t(k % P) * rows + k / P) * width]));
  MPI_Comm_free(&roots);
  try {
    data.set_reference(total);
    // an empty dataset has no spread yet: it begins with these cells
    if (data.moments.count == 0) data.add(total);
    if (exchange.chair() && lmp->comm->me == 0)
      RunFiles::write_file(opt.out + ".random.extxyz", text);
  } catch (std::exception &e) {
    fail_here(lmp, fmt::format("entropy_generate reference: {}", e.what()));
  }
  if (exchange.chair() && lmp->comm->me == 0)
    print(lmp, fmt::format("entropy_generate: {} random core-relaxed cells ({} vectors) gave the "
                           "reference variances; the entropy term is on\n",
                           opt.reference, total.count));
}

Moments Generator::random_cell(int64_t index, std::string &frame)
{
  place_candidate(lmp, fix, make_candidate(opt.recipe, opt.seed ^ REFERENCE_STREAM, index));
  fix->set_term(FixEntropy::Term::Core);
  quiet_command(
      lmp, fmt::format("minimize 0.0 {} {} {}", opt.ftol, opt.core_steps, 10 * opt.core_steps));
  evaluate_features(lmp, fix);
  const Candidate c = collect_candidate(lmp, fix);
  if (lmp->comm->me == 0)
    frame += format_extxyz(c, {{"index", std::to_string(index)}, {"mode", "random"}});
  return collect_moments(lmp, fix);
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
  place_candidate(lmp, fix, c);
  fix->set_term(FixEntropy::Term::Core);
  quiet_command(
      lmp, fmt::format("minimize 0.0 {} {} {}", opt.ftol, opt.core_steps, 10 * opt.core_steps));
  fix->set_term(FixEntropy::Term::Full);
  quiet_command(lmp, fmt::format("minimize 0.0 {} {} {}", opt.ftol, opt.steps, 10 * opt.steps));

  Result r;
  r.index = index;
  r.moments = collect_moments(lmp, fix);
  r.ratio = fix->min_ratio();
  r.distance = fix->min_distance();
  r.atoms = collect_candidate(lmp, fix);
  r.evaluations = fix->tally.evaluations - before.evaluations;
  r.seconds = platform::walltime() - start;
  seconds.minimise += r.seconds;
  return r;
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
  seconds.wait += platform::walltime() - start;
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
  MPI_Barrier(lmp->universe->uworld);
  fix->dataset() = load_or_stop();
  fix->set_term(fix->entropy_wanted() ? FixEntropy::Term::Full : FixEntropy::Term::Core);
}

void Generator::summary()
{
  const double total = platform::walltime() - started;
  const auto &t = fix->tally;
  double io = committee ? committee->io_seconds() : 0.0;
  // rank 0 of each partition speaks for it
  double mine[5] = {0.0, 0.0, 0.0, 0.0, 0.0}, sum[5];
  if (lmp->comm->me == 0) {
    mine[0] = t.kernel;
    mine[1] = seconds.wait + t.reduce;
    mine[2] = io;
    mine[3] = total;
    mine[4] = double(t.atom_evaluations);
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
  print(lmp, text);
}
