// Keywords of entropy_generate, and of the commands that do one step of it.

#ifndef SMAX_GENERATOR_OPTIONS_H
#define SMAX_GENERATOR_OPTIONS_H

#include "arguments.h"
#include "recipe.h"

#include <cstdint>
#include <string>
#include <vector>

namespace smax {

struct Acceptance {
  double ratio = 0.9;       // closest pair over r_i + r_j
  double distance = 0.6;    // closest pair, Angstrom
};

struct GeneratorOptions {
  int64_t nconf = 0;
  int64_t max_tries = 0;    // 0: 20 nconf + 100
  uint64_t seed = 1;
  std::string out = "smax";
  bool restart = false;
  int reference = 100;    // random core-relaxed cells that give the variances
  int core_steps = 30, steps = 100;
  int placements = 3;    // of which the best is minimised
  double ftol = 0.05;    // largest force component at which a minimisation stops
  Acceptance accept;
  bool reproducible = true;
  int lag = 0;    // rounds a partition may run ahead of the decisions; 0: chosen
  Recipe recipe;
};

// The file of "recipe FILE", wherever that stands in words: the other keywords refine it.
void read_recipe_first(const std::vector<std::string> &words, Recipe &recipe);

// All throw std::invalid_argument with one sentence.
GeneratorOptions parse_generator_options(const std::vector<std::string> &words);
// Adds every keyword of the recipe, and "recipe FILE", to keywords.
void add_recipe_keywords(Keywords &keywords, Recipe &recipe);
void add_acceptance_keywords(Keywords &keywords, Acceptance &accept);

}    // namespace smax

#endif
