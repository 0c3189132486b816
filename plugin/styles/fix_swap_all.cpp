#include "fix_swap_all.h"

#include "arguments.h"
#include "failure.h"

#include "atom.h"
#include "comm.h"
#include "compute.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "input.h"
#include "memory.h"
#include "modify.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"
#include "variable.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <stdexcept>

using namespace LAMMPS_NS;
using namespace FixConst;
using namespace smax;

namespace {
constexpr int VECTOR_LENGTH = 10;
}    // namespace

/* ---------------------------------------------------------------------- */

FixSwapAll::FixSwapAll(LAMMPS *lmp, int narg, char **arg) :
    Fix(lmp, narg, arg), nmoves(0), batch_user(1), seed(0), temperature(0.0), range_user(0.0),
    keep_ke(true), calls(0), evaluations(0), gained(0.0), mismatch(0.0), reach(0.0), kT(0.0),
    range(0.0), batch(1), relist(false), caching(true), probes(0), types_changed(false),
    energy(0.0), pair_energy(0.0), stored(nullptr), tried_now(0), check_step(-1)
{
  try {
    parse(narg, arg);
  } catch (std::exception &e) {
    fail_everywhere(lmp, e.what());
  }
  if (atom->tag_enable == 0) error->all(FLERR, "fix swap/all needs atom IDs");

  scalar_flag = vector_flag = array_flag = 1;
  size_vector = VECTOR_LENGTH;
  size_array_rows = int(rows.size());
  size_array_cols = 4;
  global_freq = 1;
  extscalar = extvector = extarray = 0;
  restart_global = 1;
  dynamic_group_allow = 1;
  time_depend = 1;
  force_reneighbor = 1;
  pre_exchange_migrate = 1;
  maxexchange = 1;
  comm_forward = 2;
  comm_reverse = 1;
  next_reneighbor = (update->ntimestep / nevery + 1) * nevery;

  grow_arrays(atom->nmax);
  atom->add_callback(Atom::GROW);
  for (int i = 0; i < atom->nlocal; i++) set_arrays(i);
}

FixSwapAll::~FixSwapAll()
{
  if (!copymode) atom->delete_callback(id, Atom::GROW);
  memory->destroy(stored);
}

/* ---------------------------------------------------------------------- */

void FixSwapAll::parse(int narg, char **arg)
{
  const std::string where = "fix swap/all";
  if (narg < 7)
    throw std::invalid_argument(where + ": found " + std::to_string(narg - 3) +
                                " arguments, expected N M seed T keyword values ...");
  const std::vector<std::string> first(arg + 3, arg + 7);
  auto one = [&](int i, const char *name) { return Values(where, name, {first[i]}); };
  nevery = int(one(0, "N").integer(0, 1, MAXSMALLINT));
  nmoves = int(one(1, "M").integer(0, 0, MAXSMALLINT));
  seed = one(2, "seed").integer(0, 1, MAXSMALLINT);
  if (first[3].rfind("v_", 0) == 0)
    temperature_name = first[3].substr(2);
  else
    temperature = one(3, "T").positive(0);

  const int ntypes = atom->ntypes;
  std::set<int> seen;
  auto types = [&](const Values &v, size_t from, size_t least) {
    std::vector<int> found;
    for (size_t i = from; i < v.all().size(); i++) {
      const std::string &word = v.all()[i];
      const size_t star = word.find('*');    // 2*5, 2*, *5, *
      auto bound = [&](const std::string &part, int open) {
        return part.empty() ? open : int(Values(where, v.keyword(), {part}).integer(0, 1, ntypes));
      };
      const bool one = star == std::string::npos;
      const int lo = one ? int(v.integer(i, 1, ntypes)) : bound(word.substr(0, star), 1);
      const int hi = one ? lo : bound(word.substr(star + 1), ntypes);
      if (hi < lo) v.fail("'" + word + "'", "types from a smaller to a larger");
      for (int t = lo; t <= hi; t++) {
        if (!seen.insert(t).second)
          v.fail("type " + std::to_string(t) + " a second time",
                 "each type once, either exchanged or displaced");
        found.push_back(t);
      }
    }
    if (found.size() < least)
      v.fail(std::to_string(found.size()) + " types", "at least " + std::to_string(least));
    return found;
  };
  const Keywords keywords = {
      {"swap", [&](const Values &v) { kinds.swap = types(v, 0, 2); }},
      {"displace",
       [&](const Values &v) {
         kinds.dmax = v.positive(0);
         kinds.displace = types(v, 1, 1);
       }},
      {"fraction",
       [&](const Values &v) {
         v.count(1);
         kinds.fraction = v.number(0, 0.0, 1.0, "a number from 0 to 1");
       }},
      {"batch",
       [&](const Values &v) {
         v.count(1);
         batch_user = int(v.integer(0, 1, 100000));
       }},
      {"range",
       [&](const Values &v) {
         v.count(1);
         range_user = v.positive(0);
       }},
      {"ke",
       [&](const Values &v) {
         v.count(1);
         keep_ke = v.yes_no(0);
       }},
  };
  parse_keywords(where, {arg + 7, arg + narg}, keywords);
  if (kinds.swap.empty() && kinds.displace.empty())
    throw std::invalid_argument(where + ": found neither keyword swap nor displace, expected one");

  std::sort(kinds.swap.begin(), kinds.swap.end());
  for (size_t a = 0; a < kinds.swap.size(); a++)
    for (size_t b = a + 1; b < kinds.swap.size(); b++)
      rows.push_back({kinds.swap[a], kinds.swap[b], 0, 0});
  for (int t : kinds.displace) rows.push_back({t, t, 0, 0});
}

/* ---------------------------------------------------------------------- */

int FixSwapAll::setmask()
{
  return PRE_EXCHANGE | POST_FORCE | POST_RUN;
}

void FixSwapAll::init()
{
  refuse_hosts();

  range = range_user > 0.0 ? range_user : 2.0 * force->pair->cutforce;
  batch = batch_user;
  caching = true;
  probes = 0;
  energy_fixes.clear();
  for (int i = 0; i < modify->nfix; i++) {
    Fix *fix = modify->fix[i];
    if (!fix->energy_global_flag || !fix->thermo_energy) continue;
    if (!(modify->fmask[i] & POST_FORCE))
      error->all(FLERR,
                 "fix swap/all: fix {} adds its energy elsewhere than in post_force, expected "
                 "fix_modify {} energy no",
                 fix->id, fix->id);
    energy_fixes.push_back(fix);
  }

  // what of lists and ghosts follows from types, so that an exchange makes them wrong

  relist = utils::strmatch(force->pair_style, "^hybrid") || neighbor->nex_type > 0 ||
           comm->mode != Comm::SINGLE ||
           (neighbor->style != Neighbor::NSQ && neighbor->style != Neighbor::BIN);

  check_step = -1;
  next_reneighbor = (update->ntimestep / nevery + 1) * nevery;
  modify->get_compute_by_id("thermo_pe")->addstep(next_reneighbor);
}

// What would make the energies, or the decisions, wrong.

void FixSwapAll::refuse_hosts()
{
  auto named = [this](const char *suffix) {
    return lmp->suffix_enable && ((lmp->suffix && strcmp(lmp->suffix, suffix) == 0) ||
                                  (lmp->suffix2 && strcmp(lmp->suffix2, suffix) == 0));
  };
  if (!force->pair) error->all(FLERR, "fix swap/all: found no pair style, expected one");
  // copies of the types, made when lists are built: exchanges would cost no energy
  for (const char *suffix : {"intel", "gpu", "kk"}) {
    const std::string ending = fmt::format("/{}$", suffix);
    if (named(suffix) || utils::strmatch(force->pair_style, ending) ||
        force->pair_match(ending, 0, 1))
      error->all(FLERR,
                 "fix swap/all: found suffix {}, whose pair styles keep copies of the atom types, "
                 "expected none, opt or omp (suffix off before pair_style)",
                 suffix);
  }
  if (lmp->kokkos) error->all(FLERR, "fix swap/all: found KOKKOS in use, expected it off");
  if (atom->molecular != Atom::ATOMIC)
    error->all(FLERR,
               "fix swap/all: found an atom style with molecules, expected atomic or charge");
  const struct {
    int flag;
    const char *name;
  } attributes[] = {{atom->rmass_flag, "mass"},         {atom->radius_flag, "radius"},
                    {atom->mu_flag, "dipole"},          {atom->ellipsoid_flag, "shape"},
                    {atom->line_flag, "line"},          {atom->tri_flag, "triangle"},
                    {atom->body_flag, "body"},          {atom->spin_flag, "spin"},
                    {atom->sp_flag, "magnetic moment"}, {atom->eradius_flag, "electron radius"}};
  for (const auto &a : attributes)
    if (a.flag)
      error->all(FLERR,
                 "fix swap/all: atoms have their own {}, which an exchange of types would leave "
                 "behind, expected atom_style atomic or charge",
                 a.name);
  if (utils::strmatch(update->integrate_style, "^respa"))
    error->all(FLERR, "fix swap/all: found run_style {}, expected verlet", update->integrate_style);
  // such a face goes where the outermost atom is: none could ever go beyond it
  if (!kinds.displace.empty() && domain->nonperiodic == 2)
    error->all(FLERR, "fix swap/all displace: found a shrink-wrapped boundary, expected p or f");
  if (!temperature_name.empty()) {
    const int v = input->variable->find(temperature_name.c_str());
    if (v < 0 || !input->variable->equalstyle(v))
      error->all(FLERR, "fix swap/all T: found 'v_{}', expected an equal-style variable",
                 temperature_name);
  }
}

void FixSwapAll::find_temperature()
{
  double T = temperature;
  if (!temperature_name.empty()) {
    modify->clearstep_compute();
    T = input->variable->compute_equal(input->variable->find(temperature_name.c_str()));
    modify->addstep_compute(update->ntimestep + nevery);
  }
  if (!(T > 0.0) || !std::isfinite(T))
    error->all(FLERR, "fix swap/all T: variable {} is {}, expected a positive number",
               temperature_name, T);
  kT = force->boltz * T;
}

/* ---------------------------------------------------------------------- */

// The step goes on with exchange, borders, lists and forces of the state left here.

void FixSwapAll::pre_exchange()
{
  if (next_reneighbor != update->ntimestep) return;
  next_reneighbor += nevery;
  modify->get_compute_by_id("thermo_pe")->addstep(next_reneighbor);
  find_temperature();

  rebuild(true);
  gather();
  check_layout();
  start();
  Rng rng(uint64_t(seed), uint64_t(calls++));
  tried_now = 0;
  // The number of batches is fixed, not that of moves: a batch is smaller in some states than in
  // others, and a stage that ends at a number of moves would favour those.
  for (int left = nmoves; left > 0; left -= batch)
    attempt(moves.draw(MIN(left, batch), range, rng));
  check_step = update->ntimestep;
  for (int i = 0; i < modify->nfix; i++)    // whose turn comes after this one, with other energies
    if ((modify->fmask[i] & PRE_EXCHANGE) && modify->fix[i]->next_reneighbor == check_step)
      check_step = -1;
}

void FixSwapAll::post_run()
{
  if (comm->me != 0) return;
  std::string text;
  for (const Row &r : rows)
    if (r.tried > 0)
      text += r.a == r.b ? fmt::format("  {}: {}/{}", r.a, r.taken, r.tried)
                         : fmt::format("  {}-{}: {}/{}", r.a, r.b, r.taken, r.tried);
  if (!text.empty()) utils::logmesg(lmp, "fix {}: accepted/tried{}\n", id, text);
}

/* ---------------------------------------------------------------------- */

double FixSwapAll::compute_scalar()
{
  bigint tried = 0, taken = 0;
  for (const Row &r : rows) tried += r.tried, taken += r.taken;
  return tried ? double(taken) / double(tried) : 0.0;
}

double FixSwapAll::compute_vector(int n)
{
  bigint tried[2] = {0, 0}, taken[2] = {0, 0};
  for (const Row &r : rows) tried[r.a == r.b] += r.tried, taken[r.a == r.b] += r.taken;
  const double values[VECTOR_LENGTH] = {double(tried[0] + tried[1]),
                                        double(taken[0] + taken[1]),
                                        double(tried[0]),
                                        double(taken[0]),
                                        double(tried[1]),
                                        double(taken[1]),
                                        double(evaluations),
                                        gained,
                                        mismatch,
                                        reach};
  return values[n];
}

double FixSwapAll::compute_array(int i, int j)
{
  const Row &r = rows[i];
  const double values[4] = {double(r.a), double(r.b), double(r.tried), double(r.taken)};
  return values[j];
}

FixSwapAll::Row &FixSwapAll::row_of(const McMove &m)
{
  const int ti = moves.particles()[m.i].type, tj = m.j < 0 ? ti : moves.particles()[m.j].type;
  for (Row &r : rows)
    if (r.a == MIN(ti, tj) && r.b == MAX(ti, tj)) return r;
  error->one(FLERR, "fix swap/all: no row for types {} and {}", ti, tj);
  return rows[0];
}

/* ---------------------------------------------------------------------- */

void FixSwapAll::write_restart(FILE *fp)
{
  if (comm->me != 0) return;
  std::vector<double> state = {
      double(rows.size()), double(calls), double(evaluations), gained, mismatch, reach};
  for (const Row &r : rows)
    for (double v : {double(r.a), double(r.b), double(r.tried), double(r.taken)})
      state.push_back(v);
  const int bytes = int(state.size() * sizeof(double));
  fwrite(&bytes, sizeof(int), 1, fp);
  fwrite(state.data(), sizeof(double), state.size(), fp);
}

void FixSwapAll::restart(char *buffer)
{
  const auto *state = reinterpret_cast<const double *>(buffer);
  const int n = int(state[0]);
  calls = bigint(state[1]);    // with the seed, the random numbers that come
  evaluations = bigint(state[2]);
  gained = state[3];
  mismatch = state[4];
  reach = state[5];
  for (int k = 0; k < n; k++) {
    const double *from = state + 6 + 4 * k;
    for (Row &r : rows)
      if (r.a == int(from[0]) && r.b == int(from[1])) {
        r.tried = bigint(from[2]);
        r.taken = bigint(from[3]);
      }
  }
}

/* ---------------------------------------------------------------------- */

double FixSwapAll::memory_usage()
{
  return double(atom->nmax) * sizeof(double) + double(trial.capacity()) * sizeof(double) +
         double(owned.capacity()) * (sizeof(McParticle) + sizeof(imageint) + 3 * sizeof(int));
}

void FixSwapAll::grow_arrays(int nmax)
{
  memory->grow(stored, nmax, "swap/all:stored");
}

void FixSwapAll::copy_arrays(int i, int j, int)
{
  stored[j] = stored[i];
}

void FixSwapAll::set_arrays(int i)
{
  stored[i] = 0.0;
}

int FixSwapAll::pack_exchange(int i, double *buf)
{
  buf[0] = stored[i];
  return 1;
}

int FixSwapAll::unpack_exchange(int i, double *buf)
{
  stored[i] = buf[0];
  return 1;
}

int FixSwapAll::pack_forward_comm(int n, int *list, double *buf, int, int *)
{
  int m = 0;
  for (int k = 0; k < n; k++) {
    buf[m++] = ubuf(atom->type[list[k]]).d;
    buf[m++] = atom->q_flag ? atom->q[list[k]] : 0.0;
  }
  return m;
}

void FixSwapAll::unpack_forward_comm(int n, int first, double *buf)
{
  for (int k = 0; k < n; k++) {
    atom->type[first + k] = int(ubuf(buf[2 * k]).i);
    if (atom->q_flag) atom->q[first + k] = buf[2 * k + 1];
  }
}

int FixSwapAll::pack_reverse_comm(int n, int first, double *buf)
{
  for (int k = 0; k < n; k++) buf[k] = trial[first + k];
  return n;
}

void FixSwapAll::unpack_reverse_comm(int n, int *list, double *buf)
{
  for (int k = 0; k < n; k++) trial[list[k]] += buf[k];
}
