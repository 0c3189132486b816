// Registers the pair styles of GRACE models with LAMMPS. Nothing else happens here, but the check
// that this LAMMPS and this MPI are those the plugin was built for.

#include "grace_styles/pair_grace.h"
#include "grace_styles/pair_grace_native.h"
#include "styles/host_check.h"
#include "styles/lammpsplugin_api.h"

using namespace LAMMPS_NS;

namespace {

template <class Style> void *make_style(void *lmp)
{
  return new Style(static_cast<LAMMPS *>(lmp));
}

const struct {
  const char *name, *info;
  lammpsplugin_factory1 *make;
} PAIR_STYLES[] = {
    {"grace", "GRACE models, evaluated by TensorFlow", &make_style<PairGrace>},
    {"grace/native", "GRACE models, evaluated here", &make_style<PairGraceNative>},
};

}    // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lmp, void *handle,
                                                                         void *regfunc)
{
  auto register_plugin = reinterpret_cast<lammpsplugin_regfunc>(regfunc);
  if (!smax::host_matches(static_cast<LAMMPS *>(lmp), "GRACE")) return;

  lammpsplugin_t plugin{};
  plugin.version = SMAX_LAMMPS_VERSION;
  plugin.author = "the pysmax developers";
  plugin.handle = handle;
  plugin.style = "pair";
  for (const auto &style : PAIR_STYLES) {
    plugin.name = style.name;
    plugin.info = style.info;
    plugin.creator.v1 = style.make;
    register_plugin(&plugin, lmp);
  }
}
