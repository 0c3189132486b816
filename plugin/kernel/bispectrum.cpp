#include "bispectrum.h"

#include "snap_kernel.h"
#include "snap_tables.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace smax {

using namespace snap;

namespace {

struct Level {
  Isa isa;
  const char *name;
};

constexpr Level LEVELS[] = {
    {Isa::Auto, "auto"}, {Isa::Plain, "plain"}, {Isa::Avx2, "avx2"}, {Isa::Avx512, "avx512"}};

// The kernel of a level, or null if this build or this processor lacks it.
const Kernel *find_kernel(Isa isa)
{
  if (isa == Isa::Plain) return kernel_plain();
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (isa == Isa::Avx2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return kernel_avx2();
  if (isa == Isa::Avx512 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("fma"))
    return kernel_avx512();
#endif
  return nullptr;
}

template <typename T> [[noreturn]] void refuse(const char *key, T value, const char *expected)
{
  std::ostringstream msg;
  msg << "bispectrum " << key << " is " << value << " but must be " << expected;
  throw std::invalid_argument(msg.str());
}

const BispectrumParams &check(const BispectrumParams &p)
{
  if (p.twojmax < 2 || p.twojmax > MAX_J) refuse("twojmax", p.twojmax, "from 2 to 14");
  if (!(p.rfac0 > 0.0 && p.rfac0 <= 1.0)) refuse("rfac0", p.rfac0, "above 0 and at most 1");
  if (!(p.rmin0 >= 0.0 && std::isfinite(p.rmin0))) refuse("rmin0", p.rmin0, "0 or more");
  return p;
}

// Doubles on a cache line boundary, never shrinking.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  ~Buffer() { std::free(data); }

  double *grow(size_t n)
  {
    if (n <= size) return data;
    std::free(data);
    size = 0;
    const size_t room = (n + n / 4 + 7) / 8 * 8;
    data = static_cast<double *>(std::aligned_alloc(64, room * sizeof(double)));
    if (!data) throw std::bad_alloc();
    size = room;
    return data;
  }
  double bytes() const { return double(size) * sizeof(double); }

 private:
  double *data = nullptr;
  size_t size = 0;
};

}    // namespace

Isa isa_from_name(const char *name)
{
  for (const Level &level : LEVELS)
    if (std::strcmp(level.name, name) == 0) return level.isa;
  refuse("instruction set", std::string("'") + name + "'", "auto, plain, avx2 or avx512");
}

const char *isa_name(Isa isa)
{
  for (const Level &level : LEVELS)
    if (level.isa == isa) return level.name;
  return "unknown";
}

Isa isa_best()
{
  for (Isa isa : {Isa::Avx512, Isa::Avx2})
    if (find_kernel(isa)) return isa;
  return Isa::Plain;
}

struct Bispectrum::Impl {
  Impl(const BispectrumParams &params, Isa level, const Kernel &k) :
      p(check(params)), isa(level), kernel(k), w(k.width), table(p.twojmax, k.width, k.max_out),
      t(table.view), n(count(p.twojmax)), shape{p.rmin0, p.rfac0, p.switchflag}
  {
    work = scratch.grow(size_t(w) * (2 * t.nbasis + w + 2 * t.nelement + t.ntriple) + t.nbasis);
  }

  // Geometry records start here for atom i.
  double *records(const Neighbours &neigh, int i)
  {
    return geom.grow(0) + (neigh.first[i] / w + size_t(i)) * NGEOM * w;
  }

  void features(const Neighbours &neigh, double *b);
  void gradient(const Neighbours &neigh, const double *beta, double *gx, double *gy, double *gz);
  void load_beta(int first, int natoms, const double *beta, double *lanes) const;
  void store_features(int first, int natoms, const double *lanes, double *b) const;

  const BispectrumParams p;
  const Isa isa;
  const Kernel &kernel;
  const int w;
  const TableStore table;
  const Tables &t;
  const int n;
  const Shape shape;
  Buffer geom, z, scratch;
  double *work;
  int natoms = -1, npairs = -1;    // of the last features()
};

void Bispectrum::Impl::features(const Neighbours &neigh, double *b)
{
  natoms = neigh.natoms;
  npairs = natoms > 0 ? neigh.first[natoms] : 0;
  const size_t zsize = size_t(2) * w * t.nz;
  geom.grow((npairs / w + size_t(natoms) + 1) * NGEOM * w);
  double *zlist = z.grow(zsize * ((natoms + w - 1) / w));
  double *moments = work, *acc = moments + size_t(w) * t.nbasis;
  double *u = acc + size_t(w) * (t.nbasis + w);
  double *lanes = acc;    // components; the accumulators are free by then

  for (int first = 0; first < natoms; first += w, zlist += zsize) {
    const int m = std::min(w, natoms - first);
    if (m < w) std::fill(moments, moments + size_t(w) * t.nbasis, 0.0);
    for (int i = 0; i < m; i++) {
      const int k = neigh.first[first + i], npair = neigh.first[first + i + 1] - k;
      double *g = records(neigh, first + i);
      kernel.geometry(shape, npair, neigh.dx + k, neigh.dy + k, neigh.dz + k, neigh.rcut + k, g);
      kernel.density(t, (npair + w - 1) / w, g, acc, moments + i);
    }
    kernel.couple(t, moments, u, zlist, lanes);
    store_features(first, m, lanes, b);
  }
}

void Bispectrum::Impl::store_features(int first, int m, const double *lanes, double *b) const
{
  for (const Triple &triple : table.triple) {
    if (triple.j < triple.j1) continue;
    const double zero = p.bzeroflag ? triple.j + 1.0 : 0.0;
    for (int i = 0; i < m; i++) b[size_t(first + i) * n + triple.component] = lanes[i] - zero;
    lanes += w;
  }
}

void Bispectrum::Impl::gradient(const Neighbours &neigh, const double *beta, double *gx, double *gy,
                                double *gz)
{
  if (neigh.natoms != natoms || (natoms > 0 && neigh.first[natoms] != npairs))
    throw std::logic_error("bispectrum gradient() needs features() of the same neighbours first");
  const double *zlist = z.grow(0);
  double *dmoments = work, *y = dmoments + size_t(w) * t.nbasis;
  double *lanes = y + size_t(w) * 2 * t.nelement, *dm = lanes + size_t(w) * t.ntriple;

  for (int first = 0; first < natoms; first += w, zlist += size_t(2) * w * t.nz) {
    const int m = std::min(w, natoms - first);
    load_beta(first, m, beta, lanes);
    kernel.adjoint(t, lanes, zlist, y, dmoments);
    for (int i = 0; i < m; i++) {
      const int k = neigh.first[first + i], npair = neigh.first[first + i + 1] - k;
      for (int c = 0; c < t.nbasis; c++) dm[c] = dmoments[c * w + i];
      kernel.force(t, npair, records(neigh, first + i), dm, gx + k, gy + k, gz + k);
    }
  }
}

// beta of each triple with its factor, in atom lanes; idle lanes are zero.
void Bispectrum::Impl::load_beta(int first, int m, const double *beta, double *lanes) const
{
  for (const Triple &triple : table.triple) {
    for (int i = 0; i < w; i++)
      lanes[i] = i < m ? triple.factor * beta[size_t(first + i) * n + triple.component] : 0.0;
    lanes += w;
  }
}

Bispectrum::Bispectrum(const BispectrumParams &params, Isa isa)
{
  if (isa == Isa::Auto) isa = isa_best();
  const Kernel *kernel = find_kernel(isa);
  if (!kernel)
    refuse("instruction set", isa_name(isa), "one that this processor and this build have");
  impl = std::make_unique<Impl>(params, isa, *kernel);
}

Bispectrum::~Bispectrum() = default;

int Bispectrum::ncoeff() const
{
  return impl->n;
}

Isa Bispectrum::isa() const
{
  return impl->isa;
}

int Bispectrum::count(int twojmax)
{
  int n = 0;
  for (int j1 = 0; j1 <= twojmax; j1++)
    for (int j2 = 0; j2 <= j1; j2++)
      for (int j = j1; j <= std::min(twojmax, j1 + j2); j++) n += (j1 + j2 + j) % 2 == 0;
  return n;
}

void Bispectrum::features(const Neighbours &neigh, double *b)
{
  impl->features(neigh, b);
}

void Bispectrum::gradient(const Neighbours &neigh, const double *beta, double *gx, double *gy,
                          double *gz)
{
  impl->gradient(neigh, beta, gx, gy, gz);
}

double Bispectrum::memory_usage() const
{
  return sizeof(Impl) + impl->table.bytes() + impl->geom.bytes() + impl->z.bytes() +
         impl->scratch.bytes();
}

}    // namespace smax
