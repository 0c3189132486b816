// Chemical elements 1..MAX_Z: symbol, covalent radius, share in the default recipe.

#ifndef SMAX_ELEMENTS_H
#define SMAX_ELEMENTS_H

#include <string>

namespace smax {

constexpr int MAX_Z = 96;
constexpr int LAST_DEFAULT_Z = 86;    // heavier elements are drawn only if named

// Chemical symbol of atomic number z in 1..MAX_Z ("X" outside); element_z() gives 0 if unknown.
const char *element_symbol(int z);
int element_z(const std::string &symbol);
// Pyykko & Atsumi single-bond covalent radius, Angstrom (doi:10.1002/chem.200800987); 0 outside.
double covalent_radius(int z);
// Weight of a named element in the default recipe; 0 outside.
double element_weight(int z);

}    // namespace smax

#endif
