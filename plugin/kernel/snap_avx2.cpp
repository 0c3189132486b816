// Kernel for AVX2 and FMA: empty where the compiler was not told to use them.

#include "snap_kernel.h"

#if defined(__AVX2__) && defined(__FMA__)

#define SNAP_ISA     avx2
#define SNAP_WIDTH   4
#define SNAP_MAX_OUT 5
#include "snap_impl.h"

const smax::snap::Kernel *smax::snap::kernel_avx2()
{
  return &avx2::kernel;
}

#else

const smax::snap::Kernel *smax::snap::kernel_avx2()
{
  return nullptr;
}

#endif
