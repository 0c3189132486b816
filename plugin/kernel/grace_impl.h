// The kernel of one instruction-set level. The including file sets SNAP_ISA (its namespace),
// SNAP_WIDTH (lanes) and GRACE_ROWS (rows of a matrix product that the registers hold).

#ifndef SMAX_GRACE_IMPL_H
#define SMAX_GRACE_IMPL_H

#include "grace_kernel.h"

#include "snap_vector.h"

#include "grace_matrix.h"

#include "grace_angular.h"
#include "grace_radial.h"

namespace smax {
namespace grace {
namespace SNAP_ISA {

static const Kernel kernel = {SNAP_WIDTH, bonds,          harmonics,     gradient,
                              multiply,   multiply_small, multiply_rows, silu_rows,
                              silu,       bilinear,       sum_slots,     spread_slots};

}    // namespace SNAP_ISA
}    // namespace grace
}    // namespace smax

#endif
