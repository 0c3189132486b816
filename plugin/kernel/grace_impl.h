// The kernel of one instruction-set level. The including file sets SNAP_ISA (its namespace),
// SNAP_WIDTH (lanes) and GRACE_ROWS (rows of a matrix product that the registers hold).

#ifndef SMAX_GRACE_IMPL_H
#define SMAX_GRACE_IMPL_H

#include "grace_kernel.h"

#include "snap_vector.h"

#include <type_traits>

#include "grace_matrix.h"

#include "grace_angular.h"
#include "grace_message.h"
#include "grace_radial.h"

namespace smax {
namespace grace {
namespace SNAP_ISA {

static const Kernel kernel = {SNAP_WIDTH, bonds,          harmonics,     gradient,
                              multiply,   multiply_small, multiply_rows, silu_rows,
                              silu,       tanh,           bilinear,      linear,
                              sum_slots,  spread_slots,   sum_messages,  spread_messages};

}    // namespace SNAP_ISA
}    // namespace grace
}    // namespace smax

#endif
