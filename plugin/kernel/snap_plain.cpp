// Kernel for the baseline of the platform: compiled without -m flags.

#define SNAP_ISA     plain
#define SNAP_WIDTH   2
#define SNAP_MAX_OUT 5
#include "snap_impl.h"

const smax::snap::Kernel *smax::snap::kernel_plain()
{
  return &plain::kernel;
}
