// C face of the kernel for tests/unit (see kernel_capi.py). Every function that can fail returns 0,
// or 1 with one sentence in err[errlen]. Arrays as in the headers; moments travel packed.

#include "bispectrum.h"
#include "entropy.h"
#include "moments.h"

#include <cstdio>
#include <exception>

using smax::EntropyObjective;
using smax::Moments;

namespace {

template <class Body> int guarded(char *err, int errlen, const Body &body)
{
  try {
    body();
    return 0;
  } catch (const std::exception &e) {
    std::snprintf(err, errlen, "%s", e.what());
    return 1;
  }
}

EntropyObjective &objective(void *handle)
{
  return *static_cast<EntropyObjective *>(handle);
}

}    // namespace

#define API extern "C" __attribute__((visibility("default")))

// ---- moments ------------------------------------------------------------------------------------

API int smax_moments_of(int n, int64_t m, const double *b, double *packed, char *err, int errlen)
{
  return guarded(err, errlen, [&] { Moments::of(n, m, b).pack(packed); });
}

// a <- a + b
API int smax_moments_merge(int na, double *a, int nb, const double *b, char *err, int errlen)
{
  return guarded(err, errlen, [&] {
    Moments sum = Moments::unpack(na, a);
    sum.merge(Moments::unpack(nb, b));
    sum.pack(a);
  });
}

// ---- entropy ------------------------------------------------------------------------------------

API int smax_entropy_create(int n, const char *isa, void **handle, char *err, int errlen)
{
  return guarded(err, errlen, [&] { *handle = new EntropyObjective(n, smax::isa_from_name(isa)); });
}

API void smax_entropy_destroy(void *handle)
{
  delete static_cast<EntropyObjective *>(handle);
}

API int smax_entropy_set_dataset(void *handle, int n, const double *packed, const double *variance,
                                 double eps, char *err, int errlen)
{
  return guarded(err, errlen,
                 [&] { objective(handle).set_dataset(Moments::unpack(n, packed), variance, eps); });
}

API int smax_entropy_value(void *handle, double *s, char *err, int errlen)
{
  return guarded(err, errlen, [&] { *s = objective(handle).entropy(); });
}

API int64_t smax_entropy_count(void *handle)
{
  return objective(handle).count();
}

API int smax_entropy_empty(void *handle)
{
  return objective(handle).empty() ? 1 : 0;
}

API int64_t smax_entropy_nsums(void *handle)
{
  return int64_t(objective(handle).nsums());
}

API int smax_entropy_add(void *handle, int m, const double *b, double *sums, char *err, int errlen)
{
  return guarded(err, errlen, [&] { objective(handle).add(m, b, sums); });
}

API int smax_entropy_delta(void *handle, const double *sums, double *ds, char *err, int errlen)
{
  return guarded(err, errlen, [&] { *ds = objective(handle).delta(sums); });
}

API int smax_entropy_gradient(void *handle, int m, const double *b, double prefactor, double *grad,
                              char *err, int errlen)
{
  return guarded(err, errlen, [&] { objective(handle).gradient(m, b, prefactor, grad); });
}

API int smax_entropy_delta_moments(void *handle, int n, const double *packed, double *ds, char *err,
                                   int errlen)
{
  return guarded(err, errlen, [&] { *ds = objective(handle).delta(Moments::unpack(n, packed)); });
}

// ---- bispectrum ---------------------------------------------------------------------------------

API int smax_bispectrum_count(int twojmax)
{
  return smax::Bispectrum::count(twojmax);
}

API const char *smax_isa_best()
{
  return smax::isa_name(smax::isa_best());
}

// b[natoms * n]; with beta[natoms * n] also gx, gy, gz [first[natoms]], which may else be null.
API int smax_bispectrum_features_gradient(int twojmax, double rfac0, double rmin0, int bzero,
                                          int switchf, const char *isa, int natoms,
                                          const int *first, const double *dx, const double *dy,
                                          const double *dz, const double *rcut, double *b,
                                          const double *beta, double *gx, double *gy, double *gz,
                                          char *err, int errlen)
{
  return guarded(err, errlen, [&] {
    smax::BispectrumParams params;
    params.twojmax = twojmax;
    params.rfac0 = rfac0;
    params.rmin0 = rmin0;
    params.bzeroflag = bzero != 0;
    params.switchflag = switchf != 0;
    smax::Neighbours neigh;
    neigh.natoms = natoms;
    neigh.first = first;
    neigh.dx = dx;
    neigh.dy = dy;
    neigh.dz = dz;
    neigh.rcut = rcut;
    smax::Bispectrum bispectrum(params, smax::isa_from_name(isa));
    bispectrum.features(neigh, b);
    if (beta) bispectrum.gradient(neigh, beta, gx, gy, gz);
  });
}
