#include "pair_grace_base.h"

#include "failure.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neighbor.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mpi.h>
#include <stdexcept>

using namespace LAMMPS_NS;

PairGraceBase::PairGraceBase(LAMMPS *lmp, std::string name) : Pair(lmp), style_name(std::move(name))
{
  single_enable = 0;
  restartinfo = 0;
  one_coeff = 1;
  manybody_flag = 1;
  no_virial_fdotr_compute = 1;    // the virial is summed over bonds
  centroidstressflag = CENTROID_NOTAVAIL;
}

PairGraceBase::~PairGraceBase()
{
  if (!allocated) return;
  memory->destroy(setflag);
  memory->destroy(cutsq);
}

void PairGraceBase::allocate()
{
  const int n = atom->ntypes + 1;
  memory->create(setflag, n, n, "pair:setflag");
  memory->create(cutsq, n, n, "pair:cutsq");
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      setflag[i][j] = 0;
      cutsq[i][j] = 0.0;
    }
  allocated = 1;
}

void PairGraceBase::together(const std::function<void()> &work) const
{
  std::string what;
  try {
    work();
  } catch (const std::exception &e) {
    what = *e.what() ? e.what() : "failed";
  }
  const int mine = what.empty() ? comm->nprocs : comm->me;
  int first = 0;
  MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, world);
  if (first == comm->nprocs) return;
  int length = int(what.size());
  MPI_Bcast(&length, 1, MPI_INT, first, world);
  what.resize(size_t(length));
  MPI_Bcast(&what[0], length, MPI_CHAR, first, world);
  smax::fail_partition(lmp, "pair_style " + style_name + ": " + what);
}

void PairGraceBase::coeff(int narg, char **arg)
{
  if (!allocated) allocate();
  try {
    together([&] { read_coeff(narg, arg); });
  } catch (...) {
    element_of.clear();    // who goes on after this error needs another pair_coeff, on every rank
    throw;
  }
  if (comm->me == 0 && use_references) {
    std::string text = "Pair " + style_name + ": reference energies are added, eV per atom:";
    for (size_t k = 0; k < meta.count(); k++)
      text += fmt::format(" {} {:.10g}", meta.elements[k], references[k]);
    smax::tell(lmp, text + "\n");
  }
}

void PairGraceBase::read_coeff(int narg, char **arg)
{
  if (narg < 4 || strcmp(arg[0], "*") != 0 || strcmp(arg[1], "*") != 0)
    throw std::runtime_error("pair_coeff: expected '* * model element ...', an element for each "
                             "atom type");
  check_run();
  model_path = arg[2];
  meta = read_metadata(model_path);
  set_types(std::vector<std::string>(arg + 3, arg + narg));
  references.clear();
  if (use_references) references = read_references(model_path);
  open_model(model_path);
}

void PairGraceBase::check_run() const
{
  if (strcmp(update->unit_style, "metal") != 0)
    throw std::runtime_error(std::string("found units ") + update->unit_style +
                             ", expected metal (eV, Angstrom)");
  if (!force->newton_pair)
    throw std::runtime_error("found newton off for pairs, expected 'newton on': forces on atoms of "
                             "other ranks are sent back");
}

void PairGraceBase::set_types(const std::vector<std::string> &words)
{
  const int n = atom->ntypes;
  element_of = smax::map_grace_types(words, n, meta.elements);
  type_cutsq.assign(size_t(n) * n, 0.0);
  // under hybrid the pairs of NULL types are left to others; alone they are set, and do nothing
  const bool alone = !utils::strmatch(force->pair_style ? force->pair_style : "", "^hybrid");
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      const bool both = element_of[i] >= 0 && element_of[j] >= 0;
      setflag[i + 1][j + 1] = i <= j && (both || alone);
      if (!both) continue;
      const double cut = meta.pair_cutoff(element_of[i], element_of[j]);
      type_cutsq[size_t(i) * n + j] = cut * cut;
    }
}

void PairGraceBase::init_style()
{
  if (element_of.empty())
    smax::fail_partition(lmp, "pair_style " + style_name +
                                  ": found no pair_coeff, expected '* * model element ...'");
  neighbor->add_request(this, NeighConst::REQ_FULL);
}

double PairGraceBase::init_one(int i, int j)
{
  const size_t n = size_t(atom->ntypes), a = size_t(i - 1), b = size_t(j - 1);
  return std::sqrt(std::max(type_cutsq[a * n + b], type_cutsq[b * n + a]));
}

void PairGraceBase::tally_energy(int i, double energy)
{
  if (!references.empty()) energy += references[size_t(element_of[atom->type[i] - 1])];
  if (eflag_global) eng_vdwl += energy;
  if (eflag_atom) eatom[i] += energy;
}

void PairGraceBase::tally_bond(int i, int j, const double *r, const double *f)
{
  const double v[6] = {r[0] * f[0], r[1] * f[1], r[2] * f[2],
                       r[0] * f[1], r[0] * f[2], r[1] * f[2]};
  for (int k = 0; k < 6; k++) {
    if (vflag_global) virial[k] += v[k];
    if (!vflag_atom) continue;
    vatom[i][k] += 0.5 * v[k];
    vatom[j][k] += 0.5 * v[k];
  }
}

void PairGraceBase::fail_position(int i, int j) const
{
  throw std::runtime_error(fmt::format("found a position that is no finite number at step {}: atom "
                                       "{} or its neighbour {}",
                                       update->ntimestep, atom->tag[i], atom->tag[j]));
}
