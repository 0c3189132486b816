// native.npz (docs/grace_native.md) to a GraceModel.

#ifndef SMAX_GRACE_NPZ_H
#define SMAX_GRACE_NPZ_H

#include "grace_model.h"

#include <string>

namespace smax {

// Throws std::runtime_error with one sentence: path, what was found, what was expected.
GraceModel read_grace_model(const std::string &path);

}    // namespace smax

#endif
