#include "failure.h"

#include "comm.h"
#include "error.h"
#include "universe.h"

#include <chrono>
#include <cstdio>
#include <thread>

using namespace LAMMPS_NS;

void smax::fail_everywhere(LAMMPS *lmp, const std::string &what)
{
  if (lmp->universe->existflag) {
    if (lmp->universe->me == 0)
      fprintf(stderr, "ERROR: %s\n", what.c_str());
    else    // the first to throw aborts all: let rank 0 speak before
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  lmp->error->all(FLERR, what);
}

void smax::fail_partition(LAMMPS *lmp, const std::string &what)
{
  if (lmp->universe->existflag && lmp->comm->me == 0) fprintf(stderr, "ERROR: %s\n", what.c_str());
  lmp->error->all(FLERR, what);
}

void smax::fail_here(LAMMPS *lmp, const std::string &what)
{
  if (lmp->universe->existflag && lmp->universe->me != 0)
    fprintf(stderr, "ERROR: %s\n", what.c_str());
  lmp->error->one(FLERR, what);
}
