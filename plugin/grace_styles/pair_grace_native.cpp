#include "pair_grace_native_work.h"

#include "arguments.h"
#include "grace_npz.h"

#include "atom.h"
#include "comm.h"
#include "neigh_list.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <sys/stat.h>
#include <vector>

using namespace LAMMPS_NS;

namespace {

constexpr int MOST_BONDS = 16384;    // of one call: they stay in the cache

std::string file_of(const std::string &path)
{
  struct stat what{};
  const bool folder = stat(path.c_str(), &what) == 0 && S_ISDIR(what.st_mode);
  const std::string file = folder ? path + "/native.npz" : path;
  if (stat(file.c_str(), &what) != 0 || !S_ISREG(what.st_mode))
    throw std::runtime_error("found no file '" + file +
                             "', expected a model written for grace/native (docs/grace_native.md)");
  return file;
}

}    // namespace

PairGraceNative::PairGraceNative(LAMMPS *lmp) : PairGraceBase(lmp, "grace/native"), work(new Work)
{
}

PairGraceNative::~PairGraceNative() = default;

void PairGraceNative::settings(int narg, char **arg)
{
  element_of.clear();    // what is set here is heeded by the pair_coeff that follows
  isa = "auto";
  use_references = false;
  together([&] {
    const smax::Keywords keywords = {
        {"isa",
         [&](const smax::Values &v) {
           v.count(1);
           const std::vector<std::string> names = {"auto", "plain", "avx2", "avx512"};
           isa = names[size_t(v.choice(0, names))];
         }},
        {"references",
         [&](const smax::Values &v) {
           v.count(1);
           use_references = v.yes_no(0);
         }},
    };
    smax::parse_keywords("keywords", std::vector<std::string>(arg, arg + narg), keywords);
  });
}

smax::GraceMetadata PairGraceNative::read_metadata(const std::string &path) const
{
  smax::GraceModel &model = work->model;
  model = smax::read_grace_model(file_of(path));
  smax::GraceMetadata read;
  read.elements = model.elements;
  read.cutoffs = model.cutoff;
  for (size_t k = 0; k < model.zbl_cutoff.size(); k++)
    read.cutoffs[k] = std::max(read.cutoffs[k], model.zbl_cutoff[k]);
  read.cutoff = model.max_cutoff();
  return read;
}

std::vector<double> PairGraceNative::read_references(const std::string &path) const
{
  std::string folder = path;
  if (file_of(path) == path) {
    const size_t slash = path.rfind('/');
    folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  }
  return smax::read_grace_references(folder, meta.elements);
}

void PairGraceNative::open_model(const std::string &path)
{
  work->evaluator.reset(new smax::GraceEvaluator(work->model, smax::isa_from_name(isa.c_str())));
  work->model = {};
  if (comm->me == 0)
    utils::logmesg(lmp, "Pair grace/native: {}, instruction set {}\n", path,
                   smax::isa_name(work->evaluator->isa()));
}

/* ---------------------------------------------------------------------- */

void PairGraceNative::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  if (work->evaluator->layers() == 1)
    together([&] { compute_own(); });
  else
    compute_layers();
}

void PairGraceNative::compute_own()
{
  Work &w = *work;
  for (int at = 0; at < list->inum;) {
    at = gather_bonds(at);
    w.make_room();
    w.evaluator->evaluate(w.bonds(), w.energy.data(), w.gx.data(), w.gy.data(), w.gz.data());
    spread_energies();
    spread_forces();
  }
}

int PairGraceNative::gather_bonds(int first)
{
  Work &w = *work;
  w.clear();
  int ii = first;
  for (; ii < list->inum && w.dx.size() < size_t(MOST_BONDS); ii++) {
    const int i = list->ilist[ii];
    const int element = element_of[atom->type[i] - 1];
    if (element < 0) continue;
    w.centre.push_back(i);
    w.element.push_back(element);
    gather_bonds_of(i);
    w.first.push_back(int(w.dx.size()));
  }
  return ii;
}

void PairGraceNative::gather_bonds_of(int i)
{
  Work &w = *work;
  for_each_bond(i, [&](int j, const double *r) {
    w.neighbour_atom.push_back(j);
    w.neighbour.push_back(element_of[atom->type[j] - 1]);
    w.dx.push_back(r[0]);
    w.dy.push_back(r[1]);
    w.dz.push_back(r[2]);
  });
}

void PairGraceNative::fail_number(int i) const
{
  throw std::runtime_error(fmt::format("found an energy or force of atom {} at step {} that is no "
                                       "finite number",
                                       atom->tag[i], update->ntimestep));
}

void PairGraceNative::spread_energies()
{
  const Work &w = *work;
  for (size_t c = 0; c < w.centre.size(); c++) {
    if (!std::isfinite(w.energy[c])) fail_number(w.centre[c]);
    tally_energy(w.centre[c], w.energy[c]);
  }
}

void PairGraceNative::spread_forces()
{
  const Work &w = *work;
  double **f = atom->f;
  for (size_t c = 0; c < w.centre.size(); c++) {
    const int i = w.centre[c];
    double sum[3] = {0.0, 0.0, 0.0};
    for (int b = w.first[c]; b < w.first[c + 1]; b++) {
      const int j = w.neighbour_atom[b];
      const double r[3] = {w.dx[b], w.dy[b], w.dz[b]};
      const double on_j[3] = {-w.gx[b], -w.gy[b], -w.gz[b]};
      for (int k = 0; k < 3; k++) {
        f[j][k] += on_j[k];
        sum[k] += on_j[k];
      }
      if (vflag_either) tally_bond(i, j, r, on_j);
    }
    for (int k = 0; k < 3; k++) f[i][k] -= sum[k];
    if (!std::isfinite(sum[0] + sum[1] + sum[2])) fail_number(i);
  }
}

double PairGraceNative::memory_usage()
{
  const Work &w = *work;
  double bytes = w.evaluator ? w.evaluator->memory_usage() : 0.0;
  for (const auto *v : {&w.message, &w.density, &w.dmessage, &w.ddensity})
    bytes += double(v->capacity()) * sizeof(double);
  return bytes + double(w.dx.capacity()) * (2 * sizeof(int) + 6 * sizeof(double));
}
