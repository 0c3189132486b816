// Kernel for AVX2 and FMA: empty where the compiler was not told to use them.

#include "grace_kernel.h"

#if defined(__AVX2__) && defined(__FMA__)

#define SNAP_ISA   avx2
#define SNAP_WIDTH 4
#define GRACE_ROWS 6
#include "grace_impl.h"

const smax::grace::Kernel *smax::grace::kernel_avx2()
{
  return &avx2::kernel;
}

#else

const smax::grace::Kernel *smax::grace::kernel_avx2()
{
  return nullptr;
}

#endif
