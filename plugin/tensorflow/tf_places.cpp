#include "tf_places.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <fstream>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace smax;

namespace {

constexpr const char *LIBRARY = "libtensorflow_cc.so.2";

bool is_folder(const std::string &path)
{
  struct stat what{};
  return stat(path.c_str(), &what) == 0 && S_ISDIR(what.st_mode);
}

// First file that a pattern matches, else empty
std::string first_match(const std::string &pattern)
{
  glob_t matches{};
  std::string path;
  if (glob(pattern.c_str(), 0, nullptr, &matches) == 0) path = matches.gl_pathv[0];
  globfree(&matches);
  return path;
}

std::string parent(const std::string &path)
{
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

std::string real_path(const std::string &path)
{
  char *real = path.empty() ? nullptr : realpath(path.c_str(), nullptr);
  const std::string found = real ? real : path;
  free(real);
  return found;
}

// <prefix>/lib/python3.X/site-packages/pysmax/plugin of the running plugin
std::string own_folder()
{
  Dl_info info{};
  if (!dladdr(reinterpret_cast<const void *>(&tf::find_library), &info) || !info.dli_fname)
    return "";
  return parent(real_path(info.dli_fname));
}

class Search {
 public:
  tf::Places places;

  void at(const std::string &pattern)
  {
    if (!places.found.empty()) return;
    places.found = real_path(first_match(pattern));    // with a slash: dlopen does not search
    places.looked_for += (places.looked_for.empty() ? "" : ", ") + pattern;
  }
  void in_environment(const std::string &prefix)
  {
    at(prefix + "/lib/python3*/site-packages/tensorflow/" + LIBRARY);
  }
};

uint64_t hashed(const std::string &text)    // FNV-1a
{
  uint64_t h = 1469598103934665603ull;
  for (const unsigned char c : text) h = (h ^ c) * 1099511628211ull;
  return h;
}

// Programs compiled for one processor, or by one TensorFlow, may not run on another that shares the
// home folder.
std::string kind_of(const std::string &library)
{
  struct stat file{};
  if (stat(library.c_str(), &file) != 0) file = {};
  const std::string made = std::to_string(file.st_size) + " " + std::to_string(file.st_mtime);
  std::ifstream in("/proc/cpuinfo");
  std::string line, model, flags;
  while (std::getline(in, line) && (model.empty() || flags.empty())) {
    if (line.compare(0, 10, "model name") == 0) model = line;
    if (line.compare(0, 5, "flags") == 0 || line.compare(0, 8, "Features") == 0) flags = line;
  }
  char name[24];
  snprintf(name, sizeof(name), "%016llx",
           static_cast<unsigned long long>(hashed(model + flags + made)));
  return name;
}

bool make_folders(const std::string &path)
{
  if (is_folder(path)) return access(path.c_str(), W_OK | X_OK) == 0;
  if (path.size() < 2 || !make_folders(parent(path))) return false;
  mkdir(path.c_str(), 0755);    // another rank may have been faster
  return is_folder(path);
}

}    // namespace

tf::Places tf::find_library()
{
  Search search;
  const char *wanted = std::getenv("PYSMAX_GRACE");
  if (wanted && *wanted) {
    const std::string given = wanted;
    if (!is_folder(given)) {
      search.at(given);
      return search.places;
    }
    search.in_environment(given);
    search.at(given + "/tensorflow/" + LIBRARY);
    search.at(given + "/" + LIBRARY);
    return search.places;
  }
  const std::string own = own_folder();
  if (own.empty()) return search.places;
  const std::string site_packages = parent(parent(own));
  search.in_environment(parent(parent(parent(site_packages))) + "/share/pysmax/grace");
  search.at(site_packages + "/tensorflow/" + LIBRARY);
  return search.places;
}

std::string tf::compile_cache_folder(const std::string &library)
{
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  std::string base;
  if (cache && *cache)
    base = cache;
  else if (home && *home)
    base = std::string(home) + "/.cache";
  else
    return "";
  const std::string folder = base + "/pysmax/xla-" + kind_of(library);
  // TF_XLA_FLAGS is split at spaces
  return folder.find_first_of(" \t") == std::string::npos && make_folders(folder) ? folder : "";
}
