// Registers the styles with LAMMPS. Nothing else happens here, but the check that this LAMMPS and
// this MPI are those the plugin was built for.

#include "styles/entropy_commands.h"
#include "styles/fix_entropy.h"
#include "styles/fix_swap_all.h"
#include "styles/host_check.h"
#include "styles/lammpsplugin_api.h"
#include "styles/min_lbfgs.h"

using namespace LAMMPS_NS;

namespace {

template <class Style> void *make_fix(void *lmp, int narg, char **arg)
{
  return new Style(static_cast<LAMMPS *>(lmp), narg, arg);
}

template <class Style> void *make_style(void *lmp)
{
  return new Style(static_cast<LAMMPS *>(lmp));
}

}    // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lmp, void *handle,
                                                                         void *regfunc)
{
  auto *instance = static_cast<LAMMPS *>(lmp);
  auto register_plugin = reinterpret_cast<lammpsplugin_regfunc>(regfunc);
  if (!smax::host_matches(instance, "entropy")) return;

  lammpsplugin_t plugin{};
  plugin.version = SMAX_LAMMPS_VERSION;
  plugin.author = "the pysmax developers";
  plugin.handle = handle;

  plugin.style = "fix";
  plugin.name = "entropy";
  plugin.info = "feature entropy of a growing dataset as energy and forces";
  plugin.creator.v2 = &make_fix<FixEntropy>;
  register_plugin(&plugin, lmp);

  plugin.name = "swap/all";
  plugin.info = "Monte Carlo exchanges between all pairs of types, and displacements";
  plugin.creator.v2 = &make_fix<FixSwapAll>;
  register_plugin(&plugin, lmp);

  if (smax::declared_min_is_right()) {
    plugin.style = "min";
    plugin.name = "lbfgs";
    plugin.info = "limited-memory BFGS";
    plugin.creator.v1 = &make_style<MinLBFGS>;
    register_plugin(&plugin, lmp);
  }

  plugin.style = "command";
  const struct {
    const char *name, *info;
    lammpsplugin_factory1 *make;
  } commands[] = {
      {"entropy_candidate", "make one random candidate", &make_style<EntropyCandidate>},
      {"entropy_accept", "accept or reject the present candidate", &make_style<EntropyAccept>},
      {"entropy_generate", "grow a maximum-entropy dataset", &make_style<EntropyGenerate>},
      {"entropy_dataset", "read, write and extend the dataset", &make_style<EntropyDataset>},
  };
  for (const auto &c : commands) {
    plugin.name = c.name;
    plugin.info = c.info;
    plugin.creator.v1 = c.make;
    register_plugin(&plugin, lmp);
  }
}
