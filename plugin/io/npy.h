// One .npy image (NumPy format 1.0 to 3.0): a member of an .npz.

#ifndef SMAX_NPY_H
#define SMAX_NPY_H

#include "npz.h"

#include <string>
#include <string_view>

namespace smax {

std::string npy_bytes(const std::string &key, const NpzArray &array);
// Throws std::runtime_error starting with what ("path: key 'x'"). Untrusted input: nothing is
// allocated before its size is known to be there.
NpzArray parse_npy(std::string_view bytes, const std::string &what);

}    // namespace smax

#endif
