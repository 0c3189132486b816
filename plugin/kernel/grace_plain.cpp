// Kernel for the baseline of the platform: compiled without -m flags.

#define SNAP_ISA   plain
#define SNAP_WIDTH 2
#define GRACE_ROWS 4
#include "grace_impl.h"

const smax::grace::Kernel *smax::grace::kernel_plain()
{
  return &plain::kernel;
}
