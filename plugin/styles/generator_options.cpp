#include "generator_options.h"

#include <limits>
#include <stdexcept>

using namespace smax;

namespace {
constexpr long MANY = std::numeric_limits<int>::max();

// One value, taken as an integer of a range.
template <typename T> Handler integer(T &target, long lo, long hi)
{
  return [&target, lo, hi](const Values &v) {
    v.count(1);
    target = T(v.integer(0, lo, hi));
  };
}
}    // namespace

void smax::add_recipe_keywords(Keywords &keywords, Recipe &recipe)
{
  // a keyword on the command line wins over the same one in the file, wherever the file stands
  for (const char *key : {"elements", "weights", "radii", "nelements", "natoms", "stoichiometry",
                          "radius_width", "radius_beta", "volume", "shapes", "angles"})
    keywords[key] = [&recipe](const Values &v) { recipe.set(v.keyword(), v.all()); };
}

void smax::add_acceptance_keywords(Keywords &keywords, Acceptance &accept)
{
  keywords["closest"] = [&accept](const Values &v) {
    v.count(2);
    accept.ratio = v.number(0, 0.0, 1.5, "a ratio from 0 to 1.5");
    accept.distance = v.number(1, 0.0, 10.0, "a length from 0 to 10 (Angstrom)");
  };
}

void smax::read_recipe_first(const std::vector<std::string> &words, Recipe &recipe)
{
  for (size_t i = 0; i + 1 < words.size(); i++)
    if (words[i] == "recipe") recipe.read(words[i + 1]);
}

GeneratorOptions smax::parse_generator_options(const std::vector<std::string> &words)
{
  GeneratorOptions o;
  Keywords keywords;
  add_recipe_keywords(keywords, o.recipe);
  add_acceptance_keywords(keywords, o.accept);
  keywords["recipe"] = [](const Values &v) { v.count(1); };
  keywords["nconf"] = integer(o.nconf, 1, MANY);
  keywords["max_tries"] = integer(o.max_tries, 1, MANY);
  keywords["seed"] = integer(o.seed, 0, std::numeric_limits<long>::max());
  keywords["reference"] = integer(o.reference, 2, 1000000);
  keywords["core_steps"] = integer(o.core_steps, 0, 1000000);
  keywords["steps"] = integer(o.steps, 0, 1000000);
  keywords["placements"] = integer(o.placements, 1, 1000);
  keywords["lag"] = integer(o.lag, 1, 1000);
  keywords["out"] = [&o](const Values &v) {
    v.count(1);
    o.out = v.all()[0];
  };
  keywords["restart"] = [&o](const Values &v) {
    v.count(1);
    o.restart = v.yes_no(0);
  };
  keywords["ftol"] = [&o](const Values &v) {
    v.count(1);
    o.ftol = v.positive(0);
  };
  keywords["exchange"] = [&o](const Values &v) {
    v.count(1);
    o.reproducible = v.choice(0, {"free", "reproducible"}) == 1;
  };

  read_recipe_first(words, o.recipe);
  parse_keywords("entropy_generate", words, keywords);
  if (o.nconf == 0) throw std::invalid_argument("entropy_generate: keyword nconf is missing");
  o.recipe.validate();
  if (o.max_tries == 0) o.max_tries = 20 * o.nconf + 100;
  return o;
}
