#include "elements.h"

using namespace smax;

namespace {

struct Element {
  const char *symbol;
  double radius;    // Angstrom
};

constexpr Element TABLE[MAX_Z] = {
    {"H", 0.32},  {"He", 0.46}, {"Li", 1.33}, {"Be", 1.02}, {"B", 0.85},  {"C", 0.75},
    {"N", 0.71},  {"O", 0.63},  {"F", 0.64},  {"Ne", 0.67}, {"Na", 1.55}, {"Mg", 1.39},
    {"Al", 1.26}, {"Si", 1.16}, {"P", 1.11},  {"S", 1.03},  {"Cl", 0.99}, {"Ar", 0.96},
    {"K", 1.96},  {"Ca", 1.71}, {"Sc", 1.48}, {"Ti", 1.36}, {"V", 1.34},  {"Cr", 1.22},
    {"Mn", 1.19}, {"Fe", 1.16}, {"Co", 1.11}, {"Ni", 1.10}, {"Cu", 1.12}, {"Zn", 1.18},
    {"Ga", 1.24}, {"Ge", 1.21}, {"As", 1.21}, {"Se", 1.16}, {"Br", 1.14}, {"Kr", 1.17},
    {"Rb", 2.10}, {"Sr", 1.85}, {"Y", 1.63},  {"Zr", 1.54}, {"Nb", 1.47}, {"Mo", 1.38},
    {"Tc", 1.28}, {"Ru", 1.25}, {"Rh", 1.25}, {"Pd", 1.20}, {"Ag", 1.28}, {"Cd", 1.36},
    {"In", 1.42}, {"Sn", 1.40}, {"Sb", 1.40}, {"Te", 1.36}, {"I", 1.33},  {"Xe", 1.31},
    {"Cs", 2.32}, {"Ba", 1.96}, {"La", 1.80}, {"Ce", 1.63}, {"Pr", 1.76}, {"Nd", 1.74},
    {"Pm", 1.73}, {"Sm", 1.72}, {"Eu", 1.68}, {"Gd", 1.69}, {"Tb", 1.68}, {"Dy", 1.67},
    {"Ho", 1.66}, {"Er", 1.65}, {"Tm", 1.64}, {"Yb", 1.70}, {"Lu", 1.62}, {"Hf", 1.52},
    {"Ta", 1.46}, {"W", 1.37},  {"Re", 1.31}, {"Os", 1.29}, {"Ir", 1.22}, {"Pt", 1.23},
    {"Au", 1.24}, {"Hg", 1.33}, {"Tl", 1.44}, {"Pb", 1.44}, {"Bi", 1.51}, {"Po", 1.45},
    {"At", 1.47}, {"Rn", 1.42}, {"Fr", 2.23}, {"Ra", 2.01}, {"Ac", 1.86}, {"Th", 1.75},
    {"Pa", 1.69}, {"U", 1.70},  {"Np", 1.71}, {"Pu", 1.72}, {"Am", 1.66}, {"Cm", 1.66},
};

struct WeightRange {
  int first, last;    // Z
  double weight;
};

// the first range that holds an element decides
constexpr WeightRange WEIGHTS[] = {
    {2, 2, 1.0},      {10, 10, 1.0}, {18, 18, 1.0},    // noble gases among the light elements
    {1, 1, 10.0},     {6, 6, 10.0},                    // H, C
    {3, 17, 5.0},                                      // Li..Cl
    {19, 29, 1.0},                                     // K..Cu
    {30, 35, 2.0},                                     // Zn..Br
    {36, 54, 1.0},                                     // Kr, Rb..Xe
    {55, 71, 0.5},                                     // Cs, Ba, lanthanides
    {72, 86, 1.0},                                     // Hf..Rn
    {87, MAX_Z, 0.5},
};

bool known(int z)
{
  return z >= 1 && z <= MAX_Z;
}

}    // namespace

const char *smax::element_symbol(int z)
{
  return known(z) ? TABLE[z - 1].symbol : "X";
}

int smax::element_z(const std::string &symbol)
{
  for (int z = 1; z <= MAX_Z; z++)
    if (symbol == TABLE[z - 1].symbol) return z;
  return 0;
}

double smax::covalent_radius(int z)
{
  return known(z) ? TABLE[z - 1].radius : 0.0;
}

double smax::element_weight(int z)
{
  for (const WeightRange &range : WEIGHTS)
    if (z >= range.first && z <= range.last) return range.weight;
  return 0.0;
}
