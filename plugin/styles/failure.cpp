#include "failure.h"

#include "comm.h"
#include "error.h"
#include "universe.h"
#include "utils.h"

#include <chrono>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <thread>

using namespace LAMMPS_NS;

void smax::tell(LAMMPS *lmp, const std::string &text)
{
  if (text.empty()) return;
  utils::logmesg(lmp, text);
  // under -partition the terminal belongs to the universe
  if (lmp->universe->existflag)
    for (FILE *fp : {lmp->universe->uscreen, lmp->universe->ulogfile})
      if (fp) {
        fputs(text.c_str(), fp);
        fflush(fp);
      }
  if (lmp->logfile) fflush(lmp->logfile);
}

namespace {
// An abort overtakes what was printed just before, on its way through mpirun: give it time.
[[noreturn]] void raise_slowly(const std::function<void()> &raise)
{
  try {
    raise();
  } catch (...) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    throw;
  }
  throw std::logic_error("error functions of LAMMPS do not return");
}
}    // namespace

void smax::fail_everywhere(LAMMPS *lmp, const std::string &what)
{
  if (lmp->universe->existflag) {
    if (lmp->universe->me == 0)
      fprintf(stderr, "ERROR: %s\n", what.c_str());
    else    // the first to throw aborts all: let rank 0 speak before
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  raise_slowly([&] { lmp->error->all(FLERR, what); });
}

void smax::fail_partition(LAMMPS *lmp, const std::string &what)
{
  if (lmp->universe->existflag && lmp->comm->me == 0) fprintf(stderr, "ERROR: %s\n", what.c_str());
  raise_slowly([&] { lmp->error->all(FLERR, what); });
}

void smax::fail_here(LAMMPS *lmp, const std::string &what)
{
  if (lmp->universe->existflag && lmp->universe->me != 0)
    fprintf(stderr, "ERROR: %s\n", what.c_str());
  raise_slowly([&] { lmp->error->one(FLERR, what); });
}
