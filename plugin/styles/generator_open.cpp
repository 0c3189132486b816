// The generator's start: files, reference variances, and the same dataset on every rank.

#include "cell_tools.h"
#include "extxyz.h"
#include "failure.h"
#include "fix_entropy.h"
#include "generator.h"

#include "comm.h"
#include "universe.h"
#include "utils.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

using namespace LAMMPS_NS;
using namespace smax;

namespace {
// candidates of the reference are another stream than those of the run
constexpr uint64_t REFERENCE_STREAM = 0x9e3779b97f4a7c15ULL;
}    // namespace

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
    share(data);
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
    auto say = [this](const std::string &text) { unsaid += text; };
    auto announce = [this](const Message &m) {
      exchange.send_to_all(m);
      hear(m);
    };
    if (resumed)
      tell(lmp,
           fmt::format("entropy_generate: {} goes on at candidate {} with {} configurations{}\n",
                       opt.out, head_start.state.next_index, head_start.state.frames,
                       same_layout || !opt.reproducible
                           ? ""
                           : " (another layout: not the same run as without the stop)"));
    tell(lmp, table_heading());
    committee = std::make_unique<Committee>(head_start, files.get(), opt, exchange.partitions(),
                                            say, announce);
    if (!resumed) files->checkpoint(committee->dataset());
  } catch (std::exception &e) {
    fail_here(lmp, fmt::format("entropy_generate: {}", e.what()));
  }
}

// The dataset of the chair's rank 0 to every rank of every partition.

void Generator::share(Dataset &data)
{
  const bool chair = exchange.chair() && lmp->comm->me == 0;
  std::string bytes = chair ? data.bytes() : "";
  auto size = (unsigned long long) bytes.size();
  MPI_Bcast(&size, 1, MPI_UNSIGNED_LONG_LONG, 0, lmp->universe->uworld);
  bytes.resize(size);
  constexpr unsigned long long MOST = 1ULL << 30;
  for (unsigned long long at = 0; at < size; at += MOST)
    MPI_Bcast(&bytes[at], int(std::min(MOST, size - at)), MPI_CHAR, 0, lmp->universe->uworld);
  if (!chair) data = Dataset::parse(bytes, opt.out + ".moments");
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
    tell(lmp, fmt::format("entropy_generate: {} random core-relaxed cells ({} vectors) gave the "
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
