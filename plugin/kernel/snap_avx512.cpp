// Kernel for AVX-512 F, DQ, VL: empty where the compiler was not told to use them.

#include "snap_kernel.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#define SNAP_ISA     avx512
#define SNAP_WIDTH   8
#define SNAP_MAX_OUT 8
#include "snap_impl.h"

const smax::snap::Kernel *smax::snap::kernel_avx512()
{
  return &avx512::kernel;
}

#else

const smax::snap::Kernel *smax::snap::kernel_avx512()
{
  return nullptr;
}

#endif
