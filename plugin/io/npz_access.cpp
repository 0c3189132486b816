// Arrays into and out of an Npz, by type.

#include "npz.h"

#include <stdexcept>
#include <utility>

using namespace smax;

namespace {

[[noreturn]] void fail(const std::string &path, const std::string &found,
                       const std::string &expected)
{
  throw std::runtime_error(path + ": " + found + ", expected " + expected);
}

const NpzArray &at(const Npz &z, const std::string &key, const std::string &path)
{
  const auto it = z.find(key);
  if (it == z.end()) fail(path, "no key '" + key + "'", "a file with it");
  return it->second;
}

const NpzArray &scalar(const Npz &z, const std::string &key, const std::string &path,
                       const std::string &kinds, const std::string &expected)
{
  const NpzArray &a = at(z, key, path);
  if (!a.shape.empty()) fail(path, "key '" + key + "' is an array", expected);
  if (kinds.find(a.kind) == std::string::npos)
    fail(path, "key '" + key + "' is of kind " + std::string(1, a.kind), expected);
  return a;
}

std::string shape_text(const std::vector<size_t> &shape)
{
  std::string out = "(";
  for (size_t extent : shape) out += (out.size() > 1 ? ", " : "") + std::to_string(extent);
  return out + ")";
}

}    // namespace

NpzArray NpzArray::of(std::vector<double> v, std::vector<size_t> shape)
{
  NpzArray a;
  a.f = std::move(v);
  a.shape = std::move(shape);
  return a;
}

NpzArray NpzArray::of(double v)
{
  return of(std::vector<double>{v}, {});
}

NpzArray NpzArray::of(int64_t v)
{
  NpzArray a;
  a.kind = 'i';
  a.i = {v};
  return a;
}

NpzArray NpzArray::of(const std::string &v)
{
  NpzArray a;
  a.kind = 'U';
  a.text = v;
  return a;
}

/* ---------------------------------------------------------------------- */

double smax::npz_double(const Npz &z, const std::string &key, const std::string &path)
{
  return scalar(z, key, path, "f", "one float64").f[0];
}

int64_t smax::npz_int(const Npz &z, const std::string &key, const std::string &path)
{
  return scalar(z, key, path, "iu", "one int64").i[0];
}

const std::string &smax::npz_text(const Npz &z, const std::string &key, const std::string &path)
{
  return scalar(z, key, path, "U", "one string").text;
}

const std::vector<double> &smax::npz_doubles(const Npz &z, const std::string &key,
                                             const std::vector<size_t> &shape,
                                             const std::string &path)
{
  const NpzArray &a = at(z, key, path);
  if (a.kind != 'f')
    fail(path, "key '" + key + "' is of kind " + std::string(1, a.kind), "float64");
  if (a.shape != shape)
    fail(path, "key '" + key + "' has shape " + shape_text(a.shape), shape_text(shape));
  return a.f;
}
