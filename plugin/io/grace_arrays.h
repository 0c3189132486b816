// Arrays of a native.npz by key, kind and number of dimensions; errors name the file.

#ifndef SMAX_GRACE_ARRAYS_H
#define SMAX_GRACE_ARRAYS_H

#include "npz.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace smax {

// Arrays of one file, with their extents as the model needs them.
class GraceArrays {
 public:
  static constexpr int64_t MOST = 1 << 16;    // of anything that is counted

  explicit GraceArrays(const std::string &path) : path(path), z(read_npz(path)) {}

  [[noreturn]] void fail(const std::string &what) const
  {
    throw std::runtime_error(path + ": " + what);
  }

  bool has(const std::string &key) const { return z.count(key) > 0; }
  std::string text(const std::string &key) const { return npz_text(z, key, path); }
  double number(const std::string &key) const { return npz_double(z, key, path); }

  int count(const std::string &key) const
  {
    const int64_t n = npz_int(z, key, path);
    if (n < 0 || n > MOST) fail(key + " is " + std::to_string(n) + ", expected 0 to 65536");
    return int(n);
  }

  // An array of `dims` extents, each between 1 and MOST.
  const NpzArray &array(const std::string &key, char kind, size_t dims) const
  {
    const auto it = z.find(key);
    if (it == z.end()) fail("no key '" + key + "', expected a file with it");
    const NpzArray &a = it->second;
    if (a.kind != kind || a.shape.size() != dims)
      fail("key '" + key + "' is no array of " + std::to_string(dims) + " dimensions of " +
           (kind == 'f' ? "float64" : "int64"));
    for (size_t extent : a.shape)
      if (extent < 1 || extent > size_t(MOST))
        fail("key '" + key + "' has the extent " + std::to_string(extent) +
             ", expected 1 to 65536");
    return a;
  }

  std::vector<double> doubles(const std::string &key, size_t dims) const
  {
    return array(key, 'f', dims).f;
  }

  int extent(const std::string &key, size_t dims, size_t which) const
  {
    return int(array(key, 'f', dims).shape[which]);
  }

  std::vector<int> indices(const std::string &key) const
  {
    std::vector<int> out;
    for (int64_t i : array(key, 'i', 1).i) {
      if (i < 0 || i > MOST) fail(key + " holds the index " + std::to_string(i));
      out.push_back(int(i));
    }
    return out;
  }

 private:
  std::string path;
  Npz z;
};

}    // namespace smax

#endif
