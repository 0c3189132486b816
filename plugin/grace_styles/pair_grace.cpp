#include "pair_grace_work.h"

#include "arguments.h"
#include "failure.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "neigh_list.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <sys/stat.h>

using namespace LAMMPS_NS;

namespace {

constexpr int MOST_THREADS = 127;

// The model that was opened last stays: after `clear` it is there again, compiled as it is. Never
// destroyed, for TensorFlow's own statics may be gone before ours.
struct Kept {
  std::string key;
  std::shared_ptr<smax::GraceCalls> calls;
};

std::shared_ptr<smax::GraceCalls> open_calls(const std::string &folder,
                                             const smax::GraceMetadata &meta, int threads)
{
  static auto *kept = new Kept;
  struct stat file{};
  const std::string path = folder + "/saved_model.pb";
  if (stat(path.c_str(), &file) != 0) file = {};
  char *real = realpath(path.c_str(), nullptr);
  const std::string key = fmt::format("{} {} {} {} {}", real ? real : path, int64_t(file.st_ino),
                                      int64_t(file.st_mtime), int64_t(file.st_size), threads);
  free(real);
  if (kept->calls && kept->key == key) return kept->calls;
  kept->calls.reset();    // one model at a time in memory
  kept->calls = std::make_shared<smax::GraceCalls>(folder, meta.messages, meta.cutoff, threads);
  kept->key = key;
  return kept->calls;
}

int default_threads()
{
  const char *wanted = std::getenv("OMP_NUM_THREADS");
  const int n = wanted ? std::atoi(wanted) : 1;
  return n < 1 ? 1 : n > MOST_THREADS ? MOST_THREADS : n;
}

}    // namespace

PairGrace::PairGrace(LAMMPS *lmp) : PairGraceBase(lmp, "grace"), work(new Work)
{
  nextra = 2;
  pvector = statistics;
}

PairGrace::~PairGrace() = default;

void PairGrace::settings(int narg, char **arg)
{
  threads = default_threads();
  chunk = 0;
  use_references = false;
  together([&] {
    const smax::Keywords keywords = {
        {"references",
         [&](const smax::Values &v) {
           v.count(1);
           use_references = v.yes_no(0);
         }},
        {"chunk",
         [&](const smax::Values &v) {
           v.count(1);
           chunk = int(v.integer(0, 1, MAXSMALLINT));
         }},
        {"threads",
         [&](const smax::Values &v) {
           v.count(1);
           threads = int(v.integer(0, 1, MOST_THREADS));
         }},
    };
    smax::parse_keywords("keywords", std::vector<std::string>(arg, arg + narg), keywords);
  });
}

void PairGrace::open_model(const std::string &path)
{
  calls.reset();
  calls = open_calls(path, meta, threads);
  if (comm->me == 0)
    utils::logmesg(lmp, "Pair grace: {}, TensorFlow {}, {} thread(s)\n", path,
                   calls->tensorflow_version(), threads);
}

bool PairGrace::in_pieces() const
{
  return comm->nprocs > 1 || chunk > 0;
}

void PairGrace::init_style()
{
  PairGraceBase::init_style();
  calls->let_vary(in_pieces());
  layered = calls->has_layers() && in_pieces();
  probed = calls->has_layers() || !in_pieces();
  size_t width = 1;    // owners
  if (layered) {
    width = 0;
    for (const auto &m : calls->messages()) width += m.far ? m.width : 0;
  }
  comm_forward = int(width);
  comm_reverse = layered ? int(width) : 0;
  // pair_style hybrid has summed up what its styles send before this was known
  force->pair->comm_forward = std::max(force->pair->comm_forward, comm_forward);
  force->pair->comm_reverse = std::max(force->pair->comm_reverse, comm_reverse);
}

int PairGrace::chunk_size() const
{
  return chunk > 0 ? chunk : list->inum;
}

void PairGrace::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  work->trouble.clear();
  if (layered)
    compute_layered();
  else
    compute_whole();
  statistics[0] = calls->seconds();
  statistics[1] = calls->compilations();
  together([&] {
    if (!work->trouble.empty()) throw std::runtime_error(work->trouble);
  });
}

// A failure of one rank is told when all have done their communication.
template <class Step> static void attempt(std::string &trouble, const Step &step)
{
  if (!trouble.empty()) return;
  try {
    step();
  } catch (const std::exception &e) {
    trouble = e.what();
  }
}

void PairGrace::compute_whole()
{
  if (!in_pieces()) find_owners();
  attempt(work->trouble, [&] {
    for (int first = 0; first < list->inum; first += chunk_size()) {
      gather_bonds(first);
      if (work->centre.empty()) continue;
      if (!probed) probe();
      calls->whole(work->batch, work->energy, work->force);
      spread_energies();
      spread_forces();
    }
  });
}

// Without signatures of layers, a model must not need them where atoms are in pieces.
void PairGrace::probe()
{
  if (work->batch.bonds() == 0) return;
  if (calls->passes_messages(work->batch)) calls->require_layers();
  probed = true;
}

void PairGrace::compute_layered()
{
  const int nall = atom->nlocal + atom->nghost;
  const auto &messages = calls->messages();
  work->value.resize(messages.size());
  work->gradient.resize(messages.size());
  for (size_t m = 0; m < messages.size(); m++) {
    const size_t n = size_t(messages[m].far ? nall : atom->nlocal) * messages[m].width;
    work->value[m].assign(n, 0.0);
    work->gradient[m].assign(n, 0.0);
  }
  const auto pieces = [&](void (PairGrace::*step)(int)) {
    attempt(work->trouble, [&] {
      for (int first = 0; first < list->inum; first += chunk_size()) (this->*step)(first);
    });
  };
  pieces(&PairGrace::forward_layer_1);
  comm->forward_comm(this);
  pieces(&PairGrace::backward_layer_2);
  comm->reverse_comm(this);
  pieces(&PairGrace::backward_layer_1);
}

void PairGrace::find_owners()
{
  const int nall = atom->nlocal + atom->nghost;
  work->owner.resize(size_t(nall));
  for (int i = 0; i < nall; i++) work->owner[i] = i;
  work->send_owners = true;
  comm->forward_comm(this);
  work->send_owners = false;
}

void PairGrace::gather_bonds(int first)
{
  Work &w = *work;
  w.batch.clear();
  w.centre.clear();
  w.far.clear();
  w.neighbour.clear();
  w.slot.assign(size_t(atom->nlocal + atom->nghost), -1);
  const int last = std::min(list->inum, first + chunk_size());
  for (int ii = first; ii < last; ii++) {
    const int i = list->ilist[ii];
    const int element = element_of[atom->type[i] - 1];
    if (element < 0) continue;
    w.slot[i] = int(w.centre.size());
    w.centre.push_back(i);
    w.batch.mu.push_back(element);
  }
  for (size_t c = 0; c < w.centre.size(); c++) gather_bonds_of(w.centre[c], int(c));
  number_neighbours();
}

void PairGrace::fail_position(int i, int j) const
{
  throw std::runtime_error(fmt::format("found a position that is no finite number at step {}: atom "
                                       "{} or its neighbour {}",
                                       update->ntimestep, atom->tag[i], atom->tag[j]));
}

void PairGrace::gather_bonds_of(int i, int centre)
{
  Work &w = *work;
  const double *const *x = atom->x;
  const int *type = atom->type;
  const double *cutsq = &type_cutsq[size_t(type[i] - 1) * atom->ntypes];
  for (int jj = 0; jj < list->numneigh[i]; jj++) {
    const int j = list->firstneigh[i][jj] & NEIGHMASK;
    const double r[3] = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
    const double rsq = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
    if (!std::isfinite(rsq)) fail_position(i, j);
    if (!(rsq < cutsq[type[j] - 1])) continue;
    w.batch.ind_i.push_back(centre);
    w.batch.mu_i.push_back(w.batch.mu[centre]);
    w.batch.mu_j.push_back(element_of[type[j] - 1]);
    w.batch.r.insert(w.batch.r.end(), r, r + 3);
    w.neighbour.push_back(j);
  }
}

void PairGrace::number_neighbours()
{
  Work &w = *work;
  w.batch.ind_j.assign(w.neighbour.size(), -1);
  if (in_pieces() && !layered) return;    // one layer: it does not matter who the neighbour is
  for (size_t b = 0; b < w.neighbour.size(); b++) {
    const int j = layered ? w.neighbour[b] : w.owner[w.neighbour[b]];
    if (w.slot[j] < 0) {    // never on one rank: all owners are centres
      w.slot[j] = int(w.centre.size() + w.far.size());
      w.far.push_back(j);
      w.batch.far_mu.push_back(w.batch.mu_j[b]);
    }
    w.batch.ind_j[b] = w.slot[j];
  }
}

void PairGrace::spread_energies()
{
  const Work &w = *work;
  for (size_t c = 0; c < w.centre.size(); c++) {
    if (!std::isfinite(w.energy[c]))
      throw std::runtime_error(fmt::format("found energy {} of atom {} at step {}, expected a "
                                           "finite number",
                                           w.energy[c], atom->tag[w.centre[c]], update->ntimestep));
    tally_energy(w.centre[c], w.energy[c]);
  }
}

void PairGrace::spread_forces()
{
  const Work &w = *work;
  double **f = atom->f;
  bool finite = true;
  for (size_t b = 0; b < w.neighbour.size(); b++) {
    const double *on_j = &w.force[3 * b];
    const int i = w.centre[w.batch.ind_i[b]], j = w.neighbour[b];
    for (int k = 0; k < 3; k++) {
      finite = finite && std::isfinite(on_j[k]);
      f[j][k] += on_j[k];
      f[i][k] -= on_j[k];
    }
    if (vflag_either) tally_bond(i, j, &w.batch.r[3 * b], on_j);
  }
  if (!finite)
    throw std::runtime_error(
        fmt::format("found a force that is no finite number at step {}", update->ntimestep));
}

double PairGrace::memory_usage()
{
  const Work &w = *work;
  double bytes = double(w.slot.capacity() + w.owner.capacity()) * sizeof(int);
  bytes += double(w.batch.bonds()) * (5 * sizeof(int) + 6 * sizeof(double));
  for (const auto *set : {&w.value, &w.gradient})
    for (const auto &v : *set) bytes += double(v.capacity()) * sizeof(double);
  return bytes;
}
