#include "registry.h"

#include "lammps.h"

#include <map>

using namespace smax;

namespace {

struct Shelf {
  double born;    // initclock: tells a new instance at an old address
  std::map<std::string, std::shared_ptr<Dataset>> by_name;
};

std::map<const LAMMPS_NS::LAMMPS *, Shelf> shelves;

Shelf &shelf_of(const LAMMPS_NS::LAMMPS *lmp)
{
  Shelf &s = shelves[lmp];
  if (s.born != lmp->initclock) s = Shelf{lmp->initclock, {}};
  return s;
}

}    // namespace

std::shared_ptr<Dataset> smax::find_dataset(LAMMPS_NS::LAMMPS *lmp, const std::string &name)
{
  Shelf &s = shelf_of(lmp);
  auto it = s.by_name.find(name);
  return it == s.by_name.end() ? nullptr : it->second;
}

void smax::store_dataset(LAMMPS_NS::LAMMPS *lmp, const std::string &name,
                         std::shared_ptr<Dataset> data)
{
  shelf_of(lmp).by_name[name] = std::move(data);
}
