#include "tf_api.h"

#include "tf_places.h"

#include <cstdlib>
#include <dlfcn.h>
#include <stdexcept>

using namespace smax;

namespace {

constexpr const char *WHAT_TO_DO =
    "install it with 'pysmax grace install', or set PYSMAX_GRACE to an environment that holds "
    "TensorFlow";

// Read by TensorFlow when it is loaded; what the user has set stays.
void set_environment(const std::string &library)
{
  setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0);
  if (std::getenv("TF_XLA_FLAGS")) return;
  const std::string folder = tf::compile_cache_folder(library);
  if (!folder.empty())
    setenv("TF_XLA_FLAGS", ("--tf_xla_persistent_cache_directory=" + folder).c_str(), 0);
}

void *open_library(const std::string &path)
{
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library) return library;
  const char *why = dlerror();
  throw std::runtime_error("cannot load TensorFlow from '" + path + "' (" +
                           (why ? why : "unknown reason") + "): " + WHAT_TO_DO);
}

template <class Function>
void take(void *library, const std::string &path, const char *name, Function &pointer)
{
  const std::string symbol = std::string("TF_") + name;
  pointer = reinterpret_cast<Function>(dlsym(library, symbol.c_str()));
  if (!pointer)
    throw std::runtime_error("found no function " + symbol + " in '" + path +
                             "', expected the C API of TensorFlow 2: " + WHAT_TO_DO);
}

// TensorFlow logs through Abseil, which heeds no environment variable before it is initialised; the
// function's name bears the release. Where none fits, a few lines of news appear: harmless.
// Failures come as statuses; as an "error" it logs no more than that a cached program is not text.
void quiet(void *library, bool user_has_chosen)
{
  const int level = user_has_chosen ? std::atoi(std::getenv("TF_CPP_MIN_LOG_LEVEL")) : 3;
  for (const char *release :
       {"20230125", "20230802", "20240116", "20240722", "20250127", "20250512", "20250814"}) {
    const std::string symbol =
        std::string("_ZN4absl12lts_") + release + "14SetMinLogLevelENS0_18LogSeverityAtLeastE";
    if (void *set = dlsym(library, symbol.c_str())) {
      reinterpret_cast<void (*)(int)>(set)(level);
      return;
    }
  }
}

tf::Api load()
{
  const tf::Places places = tf::find_library();
  if (places.found.empty())
    throw std::runtime_error("found no TensorFlow (looked for " + places.looked_for +
                             "): " + WHAT_TO_DO);
  const bool user_has_chosen = std::getenv("TF_CPP_MIN_LOG_LEVEL") != nullptr;
  set_environment(places.found);
  void *library = open_library(places.found);
  quiet(library, user_has_chosen);
  tf::Api t{};
  t.library = places.found;
#define TAKE(name) take(library, places.found, #name, t.name)
  TAKE(Version);
  TAKE(NewStatus);
  TAKE(DeleteStatus);
  TAKE(GetCode);
  TAKE(Message);
  TAKE(NewSessionOptions);
  TAKE(SetConfig);
  TAKE(DeleteSessionOptions);
  TAKE(NewGraph);
  TAKE(DeleteGraph);
  TAKE(GraphOperationByName);
  TAKE(OperationNumOutputs);
  TAKE(LoadSessionFromSavedModel);
  TAKE(CloseSession);
  TAKE(DeleteSession);
  TAKE(SessionRun);
  TAKE(AllocateTensor);
  TAKE(DeleteTensor);
  TAKE(TensorData);
  TAKE(TensorByteSize);
  TAKE(TensorType);
#undef TAKE
  return t;
}

}    // namespace

const tf::Api &tf::api()
{
  static const Api table = load();
  return table;
}
