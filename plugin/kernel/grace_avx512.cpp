// Kernel for AVX-512 F, DQ, VL: empty where the compiler was not told to use them.

#include "grace_kernel.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#define SNAP_ISA   avx512
#define SNAP_WIDTH 8
#define GRACE_ROWS 12
#include "grace_impl.h"

const smax::grace::Kernel *smax::grace::kernel_avx512()
{
  return &avx512::kernel;
}

#else

const smax::grace::Kernel *smax::grace::kernel_avx512()
{
  return nullptr;
}

#endif
