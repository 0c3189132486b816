// The kernel of one instruction-set level. The including file sets SNAP_ISA (its namespace),
// SNAP_WIDTH (lanes) and SNAP_MAX_OUT (outputs a group that the registers hold).

#ifndef SMAX_SNAP_IMPL_H
#define SMAX_SNAP_IMPL_H

#include "snap_kernel.h"

#include "snap_vector.h"

#include "snap_coupling.h"
#include "snap_pairs.h"

#include "snap_force.h"

namespace smax {
namespace snap {
namespace SNAP_ISA {

static const Kernel kernel = {SNAP_WIDTH, SNAP_MAX_OUT, geometry, density, couple, adjoint, force};

}    // namespace SNAP_ISA
}    // namespace snap
}    // namespace smax

#endif
