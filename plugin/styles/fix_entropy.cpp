#include "fix_entropy.h"

#include "arguments.h"
#include "bispectrum.h"
#include "dataset.h"
#include "failure.h"
#include "lammps_compat.h"
#include "recipe.h"
#include "registry.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "input.h"
#include "memory.h"
#include "modify.h"
#include "neighbor.h"
#include "update.h"
#include "variable.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

using namespace LAMMPS_NS;
using namespace FixConst;
using namespace smax;

namespace LAMMPS_NS {
struct FixEntropyArgs {
  Descriptor descriptor;
  Mode mode = Mode::Atom;
  double eps = 1e-6;
  bool descriptor_given = false;
  Isa isa = Isa::Auto;
  std::vector<std::string> elements;
  std::vector<double> radii;
};
}    // namespace LAMMPS_NS

namespace {
constexpr double PI = 3.14159265358979323846;
}    // namespace

/* ---------------------------------------------------------------------- */

FixEntropy::FixEntropy(LAMMPS *lmp, int narg, char **arg) :
    Fix(lmp, narg, arg), dataset_name("default"), nfeat(0), entropy_user(true), count_scale(true),
    tolerant(false), term(Term::Full), K(1.0), A(10.0), rcutfac(3.0),
    ghost_user(comm->cutghostuser), ghost_set(-1.0), list(nullptr), longest(0.0), radius(nullptr),
    nmax_array(0), ratio_min(0.0), rsq_min(0.0), energy(0.0), dS(0.0), core(0.0)
{
  if (igroup != 0) error->all(FLERR, "fix entropy: group is not all, expected all");
  if (atom->tag_enable == 0) error->all(FLERR, "fix entropy needs atom IDs");

  try {
    parse(narg - 3, arg + 3);
  } catch (std::exception &e) {
    fail_everywhere(lmp, e.what());
  }

  scalar_flag = vector_flag = 1;
  size_vector = 9;
  global_freq = 1;
  extscalar = 1;
  extvector = 0;
  energy_global_flag = 1;
  thermo_energy = 1;
  virial_global_flag = 1;
  thermo_virial = 1;
  create_attribute = 1;
  restart_peratom = 1;
  peratom_flag = 1;
  size_peratom_cols = nfeat + 1;
  peratom_freq = 1;
  comm_border = 1;
  maxexchange = 1;

  grow_arrays(atom->nmax);
  atom->add_callback(Atom::GROW);
  atom->add_callback(Atom::RESTART);
  atom->add_callback(Atom::BORDER);
  for (int i = 0; i < atom->nlocal; i++) set_arrays(i);
}

FixEntropy::~FixEntropy()
{
  if (!copymode) {
    atom->delete_callback(id, Atom::GROW);
    atom->delete_callback(id, Atom::RESTART);
    atom->delete_callback(id, Atom::BORDER);
    if (comm->cutghostuser == ghost_set) comm->cutghostuser = ghost_user;
  }
  memory->destroy(radius);
  memory->destroy(array_atom);
}

/* ---------------------------------------------------------------------- */

void FixEntropy::parse(int narg, char **arg)
{
  FixEntropyArgs a;
  BispectrumParams &p = a.descriptor.snap;
  auto described = [&a](auto &&set) {
    return [&a, set](const Values &v) {
      v.count(1);
      set(v);
      a.descriptor_given = true;
    };
  };
  auto one = [](auto &&set) {
    return [set](const Values &v) {
      v.count(1);
      set(v);
    };
  };
  const Keywords keywords = {
      {"mode", described([&](const Values &v) {
         a.mode = v.choice(0, {"atom", "config"}) ? Mode::Config : Mode::Atom;
       })},
      {"twojmax", described([&](const Values &v) { p.twojmax = int(v.integer(0, 2, 14)); })},
      {"rfac0", described([&](const Values &v) {
         p.rfac0 = v.number(0, 1e-3, 1.0, "a number above 0 and up to 1");
       })},
      {"rmin0", described([&](const Values &v) {
         p.rmin0 = v.number(0, 0.0, 100.0, "a length of 0 or more (Angstrom)");
       })},
      {"bzeroflag", described([&](const Values &v) { p.bzeroflag = v.integer(0, 0, 1); })},
      {"switchflag", described([&](const Values &v) { p.switchflag = v.integer(0, 0, 1); })},
      {"rcutfac", described([&](const Values &v) {
         a.descriptor.rcutfac = v.number(0, 1.0, 20.0, "a number from 1 to 20");
       })},
      {"eps",
       one([&](const Values &v) { a.eps = v.number(0, 1e-12, 1.0, "a number from 1e-12 to 1"); })},
      {"strength", one([&](const Values &v) { K = v.positive(0); })},
      {"scale",
       one([&](const Values &v) { count_scale = v.choice(0, {"constant", "count"}) == 1; })},
      {"core", one([&](const Values &v) { A = v.number(0, 0.0, 1e6, "an energy of 0 or more"); })},
      {"entropy", one([&](const Values &v) { entropy_user = v.yes_no(0); })},
      {"dataset", one([&](const Values &v) { dataset_name = v.all()[0]; })},
      {"isa", one([&](const Values &v) {
         a.isa = Isa(v.choice(0, {"auto", "plain", "avx2", "avx512"}));    // in the order of Isa
       })},
      {"elements", [&](const Values &v) { a.elements = v.all(); }},
      {"radii",
       [&](const Values &v) {
         for (size_t i = 0; i < v.all().size(); i++) a.radii.push_back(v.positive(i));
       }},
  };
  parse_keywords("fix entropy", {arg, arg + narg}, keywords);
  reset_term();
  set_types(a.elements, a.radii);
  attach_dataset(a);
  rcutfac = data->descriptor.rcutfac;
  kernel = std::make_unique<Bispectrum>(data->descriptor.snap, a.isa);
  nfeat = kernel->ncoeff();
  if (comm->me == 0)
    utils::logmesg(lmp, "fix entropy: dataset {}, N = {}, {} features per vector, kernel {}\n",
                   dataset_name, data->moments.count, nfeat, isa_name(kernel->isa()));
}

void FixEntropy::attach_dataset(const FixEntropyArgs &a)
{
  data = find_dataset(lmp, dataset_name);
  if (data && a.descriptor_given) {
    Dataset asked;
    asked.descriptor = a.descriptor;
    asked.mode = a.mode;
    const std::string differs = asked.incompatible(*data);
    if (!differs.empty())
      throw std::invalid_argument("fix entropy: of dataset '" + dataset_name + "' in memory the " +
                                  differs);
  }
  if (data) return;
  data = std::make_shared<Dataset>();
  data->descriptor = a.descriptor;
  data->mode = a.mode;
  data->eps = a.eps;
  data->moments = Moments(data->nfeatures());
  store_dataset(lmp, dataset_name, data);
}

void FixEntropy::set_types(const std::vector<std::string> &elements,
                           const std::vector<double> &radii)
{
  const int ntypes = atom->ntypes;
  auto wrong = [ntypes](const char *key, size_t n) {
    throw std::invalid_argument(std::string("fix entropy ") + key + ": found " + std::to_string(n) +
                                " values, expected one for each of the " + std::to_string(ntypes) +
                                " atom types");
  };
  if (!elements.empty() && int(elements.size()) != ntypes) wrong("elements", elements.size());
  if (!radii.empty() && int(radii.size()) != ntypes) wrong("radii", radii.size());
  if (elements.empty() && ntypes > MAX_Z)
    throw std::invalid_argument("fix entropy: " + std::to_string(ntypes) +
                                " atom types, expected at most " + std::to_string(MAX_Z) +
                                " (type = atomic number) or the keyword elements");
  rtype.assign(ntypes + 1, 0.0);
  ztype.assign(ntypes + 1, 0);
  for (int t = 1; t <= ntypes; t++) {
    ztype[t] = elements.empty() ? t : element_z(elements[t - 1]);
    if (ztype[t] == 0)
      throw std::invalid_argument("fix entropy elements: found '" + elements[t - 1] +
                                  "', expected a chemical symbol from H to Cm");
    rtype[t] = radii.empty() ? covalent_radius(ztype[t]) : radii[t - 1];
  }
}

int FixEntropy::type_of_z(int z) const
{
  for (size_t t = 1; t < ztype.size(); t++)
    if (ztype[t] == z) return int(t);
  return 0;
}

/* ---------------------------------------------------------------------- */

int FixEntropy::setmask()
{
  return POST_NEIGHBOR | MIN_POST_NEIGHBOR | PRE_REVERSE | MIN_PRE_REVERSE;
}

void FixEntropy::init()
{
  if (force->newton_pair == 0)
    error->all(FLERR, "fix entropy: newton pair is off, expected newton on");
  if (comm->style != Comm::BRICK || comm->mode != Comm::SINGLE)
    error->all(FLERR, "fix entropy needs comm_style brick and comm_modify mode single");
  if (strcmp(update->unit_style, "metal") != 0 && comm->me == 0)
    error->warning(FLERR, "fix entropy: radii are in Angstrom, but units are {}, expected metal",
                   update->unit_style);
  if (term == Term::Full && !data->has_reference())
    error->all(FLERR,
               "fix entropy: dataset '{}' has no reference variances, expected one of: "
               "entropy_dataset {} read FILE, entropy_dataset {} reference FILE, or entropy no",
               dataset_name, id, id);

  double mine[2] = {0.0, -std::numeric_limits<double>::max()}, all[2];    // largest, minus smallest
  for (int i = 0; i < atom->nlocal; i++) {
    mine[0] = MAX(mine[0], radius[i]);
    mine[1] = MAX(mine[1], -radius[i]);
  }
  MPI_Allreduce(mine, all, 2, MPI_DOUBLE, MPI_MAX, world);
  longest = all[0];
  const double shortest = -2.0 * all[1] * rcutfac;
  const double rmin0 = data->descriptor.snap.rmin0;
  if (term != Term::Core && !(rmin0 < shortest))
    error->all(FLERR, "fix entropy rmin0: found {}, expected less than the shortest cutoff, {}",
               rmin0, shortest);
  const double cut = 2.0 * longest * MAX(rcutfac, 1.0);

  // a list and ghosts of our own reach: nothing depends on the pair style

  if (comm->cutghostuser != ghost_set) ghost_user = comm->cutghostuser;
  ghost_set = MAX(ghost_user, cut + neighbor->skin);
  comm->cutghostuser = ghost_set;
  reserve_neighbours(cut + neighbor->skin);
  auto *request = neighbor->add_request(this, NeighConst::REQ_FULL);
  if (cut > 0.0) request->set_cutoff(cut);
}

// Radii differ up to tenfold, so the longest cutoff can hold thousands of small neighbours.

void FixEntropy::reserve_neighbours(double reach)
{
  const double volume = domain->xprd * domain->yprd * domain->zprd;
  const double expected = double(atom->natoms) / volume * 4.0 / 3.0 * PI * reach * reach * reach;
  // or all of them, if they huddle in a corner of the box
  const double huddled = MIN(double(atom->natoms), 1.0e5);
  const double wanted = MIN(MAX(2.0 * expected + 1000.0, huddled), 1.0e7);
  while (neighbor->oneatom < wanted) neighbor->oneatom *= 2;
  neighbor->pgsize = MAX(neighbor->pgsize, 10 * neighbor->oneatom);
}

void FixEntropy::init_list(int /*id*/, NeighList *ptr)
{
  list = ptr;
}

/* ---------------------------------------------------------------------- */

double FixEntropy::min_ratio()
{
  double all;
  MPI_Allreduce(&ratio_min, &all, 1, MPI_DOUBLE, MPI_MIN, world);
  return MIN(all, rcutfac);    // nothing inside the cutoff: at least the cutoff away
}

double FixEntropy::min_distance()
{
  double all;
  MPI_Allreduce(&rsq_min, &all, 1, MPI_DOUBLE, MPI_MIN, world);
  return sqrt(all);
}

double FixEntropy::compute_scalar()
{
  return energy;
}

// 1 E, 2 S(D), 3 dS, 4 core energy, 5 smallest r/(ri+rj), 6 N, 7 evaluations, 8 atom-evaluations,
// 9 seconds in the kernel (slowest rank)

double FixEntropy::compute_vector(int i)
{
  double slowest;
  switch (i) {
    case 0:
      return energy;
    case 1:
      return data->has_reference() ? data->objective().entropy() : 0.0;
    case 2:
      return dS;
    case 3:
      return core;
    case 4:
      return min_ratio();
    case 5:
      return double(data->moments.count);
    case 6:
      return double(tally.evaluations);
    case 7:
      return double(tally.atom_evaluations);
    default:
      MPI_Allreduce(&tally.kernel, &slowest, 1, MPI_DOUBLE, MPI_MAX, world);
      return slowest;
  }
}

int FixEntropy::modify_param(int narg, char **arg)
{
  if (strcmp(arg[0], "entropy") == 0) {
    if (narg < 2) utils::missing_cmd_args(FLERR, "fix_modify entropy", error);
    entropy_user = utils::logical(FLERR, arg[1], false, lmp) == 1;
    reset_term();
    return 2;
  }
  if (strcmp(arg[0], "radius") == 0) {
    if (narg < 2) utils::missing_cmd_args(FLERR, "fix_modify radius", error);
    const int ivar = utils::strmatch(arg[1], "^v_") ? input->variable->find(arg[1] + 2) : -1;
    if (ivar < 0 || !input->variable->atomstyle(ivar))
      error->all(FLERR, "fix_modify radius: found '{}', expected v_NAME of an atom-style variable",
                 arg[1]);
    input->variable->compute_atom(ivar, igroup, radius, 1, 0);
    for (int i = 0; i < atom->nlocal; i++)
      if (!(radius[i] > 0.0) || !std::isfinite(radius[i]))
        fail_here(lmp,
                  fmt::format("fix_modify radius: found {} for atom {}, expected a positive length",
                              radius[i], atom->tag[i]));
    return 2;
  }
  return 0;
}

double FixEntropy::memory_usage()
{
  return kernel->memory_usage() + double(nmax_array) * (nfeat + 2) * sizeof(double) +
         double(dx.capacity()) * 7 * sizeof(double) + double(b.capacity()) * 2 * sizeof(double);
}
