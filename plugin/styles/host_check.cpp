#include "host_check.h"

#include "library.h"

#include <cstdio>
#include <cstring>
#include <mpi.h>
#include <string>

namespace {

#if defined(SMAX_MPI_NAME)
constexpr const char *BUILT_MPI = SMAX_MPI_NAME;
#elif defined(MPICH_VERSION)
constexpr const char *BUILT_MPI = "MPICH";
#elif defined(OMPI_MAJOR_VERSION)
constexpr const char *BUILT_MPI = "Open MPI";
#else
constexpr const char *BUILT_MPI = "";    // unknown: not checked
#endif

// "22 Jul 2025" as LAMMPS numbers it: 20250722; 0 if it is no such date
int version_number(const char *date)
{
  constexpr const char *MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
  int day = 0, year = 0;
  char month[4] = "";
  if (sscanf(date, "%d %3s %d", &day, month, &year) != 3) return 0;
  const char *at = strstr(MONTHS, month);
  return at ? year * 10000 + (int(at - MONTHS) / 3 + 1) * 100 + day : 0;
}

}    // namespace

bool smax::declared_min_is_right()
{
#if __has_include("min.h")
  return true;
#else
  return version_number(SMAX_LAMMPS_VERSION) == 20250722;
#endif
}

// Only calls whose meaning no version changes: the classes may be laid out differently.

bool smax::host_matches(LAMMPS_NS::LAMMPS *lmp, const char *plugin_name)
{
  char running[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(running, &length);
  const int found = lammps_version(lmp), expected = version_number(SMAX_LAMMPS_VERSION);

  std::string why;
  if (found != expected)
    why = "built for LAMMPS " + std::to_string(expected) +
          " (" SMAX_LAMMPS_VERSION "), found LAMMPS " + std::to_string(found);
  else if (*BUILT_MPI && !strstr(running, BUILT_MPI))
    why = std::string("built for ") + BUILT_MPI + ", found " + std::string(running).substr(0, 60);
  if (why.empty()) return true;
  if (lammps_extract_setting(lmp, "universe_rank") == 0)
    fprintf(stderr,
            "ERROR: the %s plugin is not loaded: %s. Its styles are unknown here; build it "
            "against this LAMMPS and MPI (see README, 'A LAMMPS of your own').\n",
            plugin_name, why.c_str());
  return false;
}
