#include "pair_grace_work.h"

#include "arguments.h"
#include "failure.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "neigh_list.h"
#include "utils.h"

#include <algorithm>
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
  element_of.clear();    // what is set here is heeded by the pair_coeff that follows
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

double PairGrace::memory_usage()
{
  const Work &w = *work;
  double bytes = double(w.slot.capacity() + w.owner.capacity()) * sizeof(int);
  bytes += double(w.batch.bonds()) * (5 * sizeof(int) + 6 * sizeof(double));
  for (const auto *set : {&w.value, &w.gradient})
    for (const auto &v : *set) bytes += double(v.capacity()) * sizeof(double);
  return bytes;
}
