#include "dataset_reader.h"

#include "cell_tools.h"
#include "extxyz.h"
#include "failure.h"
#include "fix_entropy.h"
#include "npz.h"

#include "comm.h"
#include "universe.h"
#include "utils.h"

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

// A round: one frame for each partition. What evaluate() gives of a frame, on rank 0 of the
// partition, comes to take() of every rank, frame after frame in the order of the file.

using Row = std::vector<double>;

template <typename Evaluate, typename Take>
void for_each_frame(LAMMPS *lmp, FixEntropy *fix, const std::string &path, Evaluate &&evaluate,
                    Take &&take)
{
  const int P = lmp->universe->nworlds, mine = lmp->universe->iworld;
  const std::vector<double> covalent = radii_by_element(fix);
  const double vacuum = 2.0 * fix->dataset().descriptor.rcutfac;
  const int root = lmp->comm->me == 0;
  MPI_Comm roots;
  MPI_Comm_split(lmp->universe->uworld, root, lmp->universe->me, &roots);

  const auto usable = [&](const ExtxyzFrame &frame, int64_t number) {
    try {
      return to_candidate(frame, covalent.data(), vacuum);
    } catch (std::exception &e) {
      throw std::runtime_error(path + ": frame " + std::to_string(number) + ": " + e.what());
    }
  };
  ExtxyzReader reader(path);
  std::vector<int> size(P), at(P + 1, 0);
  bool more = true;
  while (more) {
    ExtxyzFrame frame;
    Candidate candidate;
    Row row;
    bool have = false;
    int frames = 0;
    try {
      for (int p = 0; p < P && more; p++) {
        more = p == mine ? reader.next(frame) : reader.skip();
        if (p == mine) have = more;
        frames += more;
        if (p == mine && more) candidate = usable(frame, reader.frames());
      }
    } catch (std::exception &e) {    // the other partitions may have no fault in theirs
      fail_partition(lmp, fmt::format("entropy_dataset: {}", e.what()));
    }
    if (frames == 0) break;
    if (have) {
      place_candidate(lmp, fix, candidate);
      evaluate_features(lmp, fix);
      row = evaluate();
    }
    const int n = int(row.size());
    if (root) MPI_Allgather(&n, 1, MPI_INT, size.data(), 1, MPI_INT, roots);
    MPI_Bcast(size.data(), P, MPI_INT, 0, lmp->world);
    for (int p = 0; p < P; p++) at[p + 1] = at[p] + size[p];
    Row all(at[P]);
    if (root)
      MPI_Allgatherv(row.data(), n, MPI_DOUBLE, all.data(), size.data(), at.data(), MPI_DOUBLE,
                     roots);
    MPI_Bcast(all.data(), at[P], MPI_DOUBLE, 0, lmp->world);
    for (int p = 0; p < frames; p++) take(&all[at[p]], size_t(size[p]));
  }
  MPI_Comm_free(&roots);
  fix->reset_term();
  if (reader.frames() == 0)
    throw std::runtime_error(path + ": found no frames, expected at least one");
}

}    // namespace

Moments smax::moments_of_file(LAMMPS *lmp, FixEntropy *fix, const std::string &path)
{
  const int n = fix->ncoeff();
  Moments total(n);
  for_each_frame(
      lmp, fix, path,
      [&] {
        Row row(Moments::packed_size(n));
        collect_moments(lmp, fix).pack(row.data());
        return row;
      },
      [&](const double *row, size_t) { total.merge(Moments::unpack(n, row)); });
  return total;
}

FileFeatures smax::features_of_file(LAMMPS *lmp, FixEntropy *fix, const std::string &path)
{
  FileFeatures all;
  all.ncoeff = fix->ncoeff();
  for_each_frame(
      lmp, fix, path, [&] { return collect_features(lmp, fix); },
      [&](const double *row, size_t size) {
        const auto natoms = int64_t(size / all.ncoeff);
        all.rows += natoms;
        if (lmp->universe->me != 0) return;
        all.features.insert(all.features.end(), row, row + size);
        all.natoms.push_back(natoms);
      });
  return all;
}

void FileFeatures::save(const std::string &path) const
{
  NpzArray counts;
  counts.kind = 'i';
  counts.shape = {natoms.size()};
  counts.i = natoms;
  write_npz(path,
            {{"features", NpzArray::of(features, {size_t(rows), ncoeff})}, {"natoms", counts}});
}
