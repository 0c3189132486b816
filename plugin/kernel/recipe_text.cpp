// describe(): the recipe in the format of read().

#include "recipe.h"

#include "text.h"

using namespace smax;

namespace {

// "1 0.5 3-6 2": runs of equal weights
std::string table_text(const std::vector<double> &table)
{
  std::string out;
  for (size_t i = 0, end; i < table.size(); i = end) {
    end = i + 1;
    while (end < table.size() && table[end] == table[i]) end++;
    if (table[i] == 0.0) continue;
    out += " " + std::to_string(i + 1);
    if (end > i + 1) out += "-" + std::to_string(end);
    out += " " + shortest(table[i]);
  }
  return out;
}

std::string elements_text(const Recipe &recipe)
{
  std::string names, weights, radii;
  for (int z = 1; z <= MAX_Z; z++) {
    const std::string symbol = std::string(" ") + element_symbol(z);
    if (recipe.weight[z] > 0.0) {
      names += symbol;
      weights += symbol + " " + shortest(recipe.weight[z]);
    }
    if (recipe.radius[z] != covalent_radius(z)) radii += symbol + " " + shortest(recipe.radius[z]);
  }
  if (names.empty()) {    // a fixed composition needs no weights
    names = " all";
    for (int z = 1; z <= LAST_DEFAULT_Z; z++)
      weights += std::string(" ") + element_symbol(z) + " 0";
  }
  return "elements:" + names + "\nweights:" + weights + "\n" +
         (radii.empty() ? "" : "radii:" + radii + "\n");
}

}    // namespace

std::string Recipe::describe() const
{
  std::string out = elements_text(*this);
  out += "nelements:" + table_text(nelements) + "\n";
  out += "natoms:" + table_text(natoms) + "\n";
  out += "stoichiometry:";
  if (fixed.empty()) out += " random";
  for (const auto &[z, count] : fixed)
    out += std::string(" ") + element_symbol(z) + " " + std::to_string(count);
  out += "\nradius_width: " + shortest(width);
  out += "\nradius_beta: " + shortest(beta_a) + " " + shortest(beta_b);
  out += "\nvolume: " + shortest(volume_lo) + " " + shortest(volume_hi);
  out += "\nshapes:";
  for (const auto &shape : shapes)
    for (double ratio : shape) out += " " + shortest(ratio);
  out += "\nangles: " + shortest(angle_lo) + " " + shortest(angle_hi) + "\n";
  return out;
}
