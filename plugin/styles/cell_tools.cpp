#include "cell_tools.h"

#include "failure.h"
#include "fix_entropy.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "exceptions.h"
#include "input.h"
#include "library.h"
#include "modify.h"

#include <cmath>
#include <stdexcept>

using namespace LAMMPS_NS;

namespace {

// Mutes screen and log for as long as it lives.
class Quiet {
 public:
  explicit Quiet(LAMMPS *l) : lmp(l), screen(l->screen), logfile(l->logfile)
  {
    lmp->screen = nullptr;
    lmp->logfile = nullptr;
  }
  ~Quiet()
  {
    lmp->screen = screen;
    lmp->logfile = logfile;
  }

 private:
  LAMMPS *lmp;
  FILE *screen, *logfile;
};

// Rank after rank, on rank 0; empty elsewhere.
std::vector<double> gather(LAMMPS *lmp, const std::vector<double> &mine)
{
  const int nprocs = lmp->comm->nprocs, me = lmp->comm->me;
  const int size = int(mine.size());
  std::vector<int> sizes(nprocs), at(nprocs, 0);
  MPI_Gather(&size, 1, MPI_INT, sizes.data(), 1, MPI_INT, 0, lmp->world);
  for (int p = 1; p < nprocs; p++) at[p] = at[p - 1] + sizes[p - 1];
  std::vector<double> all(me ? 0 : at.back() + sizes.back());
  MPI_Gatherv(mine.data(), size, MPI_DOUBLE, all.data(), sizes.data(), at.data(), MPI_DOUBLE, 0,
              lmp->world);
  return all;
}

void set_box(LAMMPS *lmp, const smax::Candidate &c)
{
  Domain *domain = lmp->domain;
  domain->boxlo[0] = domain->boxlo[1] = domain->boxlo[2] = 0.0;
  domain->boxhi[0] = c.lx;
  domain->boxhi[1] = c.ly;
  domain->boxhi[2] = c.lz;
  domain->xy = c.xy;
  domain->xz = c.xz;
  domain->yz = c.yz;
  // not set_initial_box: it only warns of skew here, and reduced cells are as little skew as can be
  domain->set_global_box();
  domain->set_local_box();
}

}    // namespace

FixEntropy *smax::entropy_fix(LAMMPS *lmp, const char *command, const char *id)
{
  auto *fix = dynamic_cast<FixEntropy *>(lmp->modify->get_fix_by_id(id));
  if (!fix)
    fail_everywhere(lmp,
                    fmt::format("{}: found '{}', expected the ID of a fix entropy", command, id));
  return fix;
}

void smax::check_types(const Recipe &recipe, FixEntropy *fix)
{
  auto check = [fix](int z) {
    if (fix->type_of_z(z) == 0)
      throw std::invalid_argument(std::string("element ") + element_symbol(z) +
                                  " of the recipe has no atom type, expected create_box with more "
                                  "types or the element in fix entropy elements");
  };
  if (recipe.fixed.empty()) {
    for (int z = 1; z <= MAX_Z; z++)
      if (recipe.weight[z] > 0.0) check(z);
  } else {
    for (const auto &part : recipe.fixed) check(part.first);
  }
}

void smax::place_candidate(LAMMPS *lmp, FixEntropy *fix, const Candidate &c)
{
  Atom *atom = lmp->atom;
  if (!lmp->domain->box_exist || !lmp->domain->triclinic)
    fail_partition(lmp, "candidates need a triclinic box: use region prism and create_box first");
  if (lmp->domain->nonperiodic) fail_partition(lmp, "candidates need boundary p p p");

  atom->nlocal = atom->nghost = 0;
  atom->natoms = 0;
  if (atom->map_style != Atom::MAP_NONE) atom->map_clear();
  set_box(lmp, c);

  const int n = int(c.z.size());
  std::vector<tagint> id(n);
  std::vector<int> type(n);
  for (int i = 0; i < n; i++) {
    id[i] = i + 1;
    type[i] = fix->type_of_z(c.z[i]);
    if (type[i] == 0)
      lmp->error->all(FLERR, "element {} has no atom type in fix entropy", element_symbol(c.z[i]));
  }
  const int made =
      lammps_create_atoms(lmp, n, id.data(), type.data(), c.x.data(), nullptr, nullptr, 0);
  if (made != n) lmp->error->all(FLERR, "of {} atoms of a candidate {} could be created", n, made);
  double *radius = fix->radii();
  for (int i = 0; i < atom->nlocal; i++) radius[i] = c.radius[atom->tag[i] - 1];
}

smax::Candidate smax::collect_candidate(LAMMPS *lmp, FixEntropy *fix)
{
  constexpr int WIDTH = 6;    // tag, type, radius, x, y, z
  Atom *atom = lmp->atom;
  Domain *domain = lmp->domain;
  std::vector<double> mine;
  for (int i = 0; i < atom->nlocal; i++) {
    double x[3] = {atom->x[i][0], atom->x[i][1], atom->x[i][2]};
    domain->remap(x);
    mine.insert(mine.end(),
                {double(atom->tag[i]), double(atom->type[i]), fix->radii()[i], x[0], x[1], x[2]});
  }
  const std::vector<double> all = gather(lmp, mine);

  Candidate c;
  c.lx = domain->xprd;
  c.ly = domain->yprd;
  c.lz = domain->zprd;
  c.xy = domain->xy;
  c.xz = domain->xz;
  c.yz = domain->yz;
  const size_t n = all.size() / WIDTH;
  c.z.resize(n);
  c.radius.resize(n);
  c.x.resize(3 * n);
  for (size_t i = 0; i < n; i++) {
    const double *row = &all[WIDTH * i];
    const size_t k = size_t(row[0]) - 1;
    if (k >= n) lmp->error->one(FLERR, "atom IDs are not 1..{}, expected consecutive IDs", n);
    c.z[k] = fix->z_of_type(int(row[1]));
    c.radius[k] = row[2];
    for (int d = 0; d < 3; d++) c.x[3 * k + d] = row[3 + d];
  }
  return c;
}

smax::Moments smax::collect_moments(LAMMPS *lmp, FixEntropy *fix)
{
  const int n = fix->ncoeff(), nlocal = lmp->atom->nlocal, nprocs = lmp->comm->nprocs;
  std::vector<double> rows(size_t(nlocal) * n);
  for (int i = 0; i < nlocal; i++)
    std::copy(fix->features()[i], fix->features()[i] + n, &rows[size_t(i) * n]);

  if (fix->dataset().mode == Mode::Config) {
    std::vector<double> sum(n, 0.0), mean(n);
    for (int i = 0; i < nlocal; i++)
      for (int c = 0; c < n; c++) sum[c] += rows[size_t(i) * n + c];
    MPI_Allreduce(sum.data(), mean.data(), n, MPI_DOUBLE, MPI_SUM, lmp->world);
    for (double &m : mean) m /= double(lmp->atom->natoms);
    return Moments::of(n, 1, mean.data());
  }

  const Moments mine = Moments::of(n, nlocal, rows.data());
  if (nprocs == 1) return mine;
  const size_t width = Moments::packed_size(n);
  std::vector<double> packed(width), all(width * nprocs);
  mine.pack(packed.data());
  MPI_Allgather(packed.data(), int(width), MPI_DOUBLE, all.data(), int(width), MPI_DOUBLE,
                lmp->world);
  Moments total(n);
  for (int p = 0; p < nprocs; p++) total.merge(Moments::unpack(n, &all[width * p]));
  return total;
}

std::vector<double> smax::collect_features(LAMMPS *lmp, FixEntropy *fix)
{
  const int n = fix->ncoeff(), nlocal = lmp->atom->nlocal;
  std::vector<double> mine;
  for (int i = 0; i < nlocal; i++) {
    mine.push_back(double(lmp->atom->tag[i]));
    mine.insert(mine.end(), fix->features()[i], fix->features()[i] + n);
  }
  const std::vector<double> all = gather(lmp, mine);
  std::vector<double> rows(all.size() / (n + 1) * n);
  for (size_t at = 0; at < all.size(); at += n + 1)
    std::copy_n(&all[at + 1], n, &rows[(size_t(all[at]) - 1) * n]);
  return rows;
}

void smax::evaluate_features(LAMMPS *lmp, FixEntropy *fix)
{
  fix->set_term(FixEntropy::Term::Features);
  quiet_command(lmp, "run 0 post no");
}

void smax::quiet_command(LAMMPS *lmp, const std::string &line)
{
  std::string failure;
  bool alone = false;    // error->one: the other ranks know nothing of it, and wait
  {
    Quiet quiet(lmp);
    try {
      lmp->input->one(line);
      return;
    } catch (LAMMPSAbortException &e) {
      failure = e.what();
      alone = e.get_universe() == lmp->world;
    } catch (LAMMPSException &e) {
      failure = e.what();
    }
  }
  failure = utils::trim(failure);
  if (failure.rfind("ERROR: ", 0) == 0) failure.erase(0, 7);
  const std::string what = fmt::format("'{}' failed: {}", line, failure);
  if (alone) fail_here(lmp, what);
  fail_partition(lmp, what);
}
