#include "dataset_reader.h"

#include "cell_tools.h"
#include "extxyz.h"
#include "fix_entropy.h"

#include "comm.h"
#include "universe.h"

#include <stdexcept>

using namespace LAMMPS_NS;
using namespace smax;

void smax::read_moments(Dataset &data, const std::string &path)
{
  const Dataset other = Dataset::load(path);
  const std::string differs = data.incompatible(other);
  if (!differs.empty()) throw std::runtime_error(path + ": " + differs);
  if (other.prior.count > other.reference.count && data.moments.count > 0)
    throw std::runtime_error(
        path + ": that run began with " + std::to_string(other.prior.count) +
        " vectors of another dataset, which a merge could count twice: add its "
        "extxyz instead");
  if (!data.has_reference() && other.has_reference()) data.set_reference(other.reference);
  data.add(other.moments);
}

namespace {

Moments features_of_frame(LAMMPS *lmp, FixEntropy *fix, const ExtxyzFrame &frame,
                          const std::vector<double> &covalent)
{
  place_candidate(lmp, fix,
                  to_candidate(frame, covalent.data(), 2.0 * fix->dataset().descriptor.rcutfac));
  evaluate_features(lmp, fix);
  return collect_moments(lmp, fix);
}

// Radii of elements as the fix has them for its types.
std::vector<double> radii_by_element(FixEntropy *fix)
{
  std::vector<double> r(MAX_Z + 1, 0.0);
  for (int z = 1; z <= MAX_Z; z++) {
    const int type = fix->type_of_z(z);
    r[z] = type ? fix->type_radius(type) : covalent_radius(z);
  }
  return r;
}

}    // namespace

Moments smax::features_of_file(LAMMPS *lmp, FixEntropy *fix, const std::string &path)
{
  const int n = fix->ncoeff(), P = lmp->universe->nworlds, mine = lmp->universe->iworld;
  const int width = int(Moments::packed_size(n));
  const std::vector<double> covalent = radii_by_element(fix);
  const int root = lmp->comm->me == 0;
  MPI_Comm roots;
  MPI_Comm_split(lmp->universe->uworld, root, lmp->universe->me, &roots);

  // a round: one frame for each partition, merged in the order of the file
  ExtxyzReader reader(path);
  Moments total(n);
  std::vector<double> packed(width), all(size_t(width) * P);
  bool more = true;
  while (more) {
    ExtxyzFrame frame;
    bool have = false;
    int frames = 0;
    for (int p = 0; p < P && more; p++) {
      more = p == mine ? reader.next(frame) : reader.skip();
      if (p == mine) have = more;
      frames += more;
    }
    if (frames == 0) break;
    if (have) features_of_frame(lmp, fix, frame, covalent).pack(packed.data());
    if (root) MPI_Allgather(packed.data(), width, MPI_DOUBLE, all.data(), width, MPI_DOUBLE, roots);
    MPI_Bcast(all.data(), width * P, MPI_DOUBLE, 0, lmp->world);
    for (int p = 0; p < frames; p++) total.merge(Moments::unpack(n, &all[size_t(p) * width]));
  }
  MPI_Comm_free(&roots);
  fix->set_term(fix->entropy_wanted() ? FixEntropy::Term::Full : FixEntropy::Term::Core);
  if (total.count == 0) throw std::runtime_error(path + ": found no frames, expected at least one");
  return total;
}
