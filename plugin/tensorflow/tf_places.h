// Where TensorFlow's library is looked for, and where its compiled programs are kept.

#ifndef SMAX_TF_PLACES_H
#define SMAX_TF_PLACES_H

#include <string>

namespace smax {
namespace tf {

struct Places {
  std::string found;         // libtensorflow_cc.so.2, empty if there is none
  std::string looked_for;    // every place tried, for an error
};

// In this order: PYSMAX_GRACE (a library, or a folder: prefix of an environment,
// site-packages, tensorflow), <prefix>/share/pysmax/grace of the plugin's environment,
// site-packages beside the plugin. If PYSMAX_GRACE is set, only there.
Places find_library();

// A folder of this user for this kind of processor and this library, made if it is missing; empty
// if it cannot be.
std::string compile_cache_folder(const std::string &library);

}    // namespace tf
}    // namespace smax

#endif
