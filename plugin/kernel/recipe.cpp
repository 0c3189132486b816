#include "recipe.h"

#include "text.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <stdexcept>
#include <tuple>

using namespace smax;

namespace {

using Words = std::vector<std::string>;

constexpr int MAX_ATOMS = 10000;
constexpr double BETA_MIN = 1e-3, BETA_MAX = 1e6;
// below, spheres of 0.7 r alone fill more than the cell
constexpr double SMALLEST_VOLUME = 0.35;
constexpr double ANGLE_MIN = 30.0, ANGLE_MAX = 150.0, ANGLE_LO_MAX = 118.0;

constexpr const char *KEYWORDS[] = {"elements", "weights",       "radii",        "nelements",
                                    "natoms",   "stoichiometry", "radius_width", "radius_beta",
                                    "volume",   "shapes",        "angles"};

[[noreturn]] void fail(const std::string &keyword, const std::string &found,
                       const std::string &expected)
{
  throw std::invalid_argument("recipe keyword '" + keyword + "' has " + found + ", expected " +
                              expected);
}

std::string quoted(const std::string &word)
{
  return "'" + word.substr(0, 40) + "'";
}

// YAML flow punctuation separates like blanks
Words split(const std::string &line)
{
  Words words;
  std::string word;
  for (char c : line + " ") {
    if (std::string(" \t\r\n\f\v,:{}[]()\"'").find(c) == std::string::npos) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(word);
      word.clear();
    }
  }
  return words;
}

int parse_element(const std::string &keyword, const std::string &word)
{
  const int z = element_z(word);
  if (z == 0) fail(keyword, "unknown element " + quoted(word), "a symbol from H to Cm");
  return z;
}

double parse_in(const std::string &keyword, const std::string &word, double lo, double hi)
{
  double value;
  if (!parse_number(word, value) || value < lo || value > hi)
    fail(keyword, quoted(word), "a number from " + shortest(lo) + " to " + shortest(hi));
  return value;
}

void need_pairs(const std::string &keyword, const Words &values, const std::string &expected)
{
  if (values.empty() || values.size() % 2)
    fail(keyword, std::to_string(values.size()) + " values", expected);
}

std::pair<double, double> parse_two(const std::string &keyword, const Words &values, double lo,
                                    double hi)
{
  if (values.size() != 2) fail(keyword, std::to_string(values.size()) + " values", "2 numbers");
  return {parse_in(keyword, values[0], lo, hi), parse_in(keyword, values[1], lo, hi)};
}

std::pair<double, double> parse_interval(const std::string &keyword, const Words &values, double lo,
                                         double hi)
{
  const auto out = parse_two(keyword, values, lo, hi);
  if (out.first > out.second)
    fail(keyword, values[0] + " above " + values[1], "the lower number first");
  return out;
}

// "7" or "3-6", within 1..max
std::pair<int, int> parse_range(const std::string &keyword, const std::string &word, int max)
{
  const size_t dash = word.find('-');
  int lo = 0, hi = 0;
  const bool good = parse_number(word.substr(0, dash), lo) &&
                    parse_number(dash == std::string::npos ? word : word.substr(dash + 1), hi);
  if (!good || lo < 1 || hi < lo || hi > max)
    fail(keyword, quoted(word), "a count or a range such as 3-6 within 1-" + std::to_string(max));
  return {lo, hi};
}

// "count weight" pairs; a count given again takes the later weight
std::vector<double> parse_table(const std::string &keyword, const Words &values, int max)
{
  std::vector<double> table;
  if (keyword == "natoms" && values.size() == 1) {
    const auto [lo, hi] = parse_range(keyword, values[0], max);
    table.resize(hi, 0.0);
    std::fill(table.begin() + lo - 1, table.end(), 1.0);
    return table;
  }
  need_pairs(keyword, values, "pairs of a count (or range) and its weight");
  for (size_t i = 0; i < values.size(); i += 2) {
    const auto [lo, hi] = parse_range(keyword, values[i], max);
    const double weight = parse_in(keyword, values[i + 1], 0.0, 1e9);
    if (int(table.size()) < hi) table.resize(hi, 0.0);
    std::fill(table.begin() + lo - 1, table.begin() + hi, weight);
  }
  while (!table.empty() && table.back() == 0.0) table.pop_back();
  if (table.empty()) fail(keyword, "only weights of 0", "at least one above 0");
  return table;
}

void set_elements(Recipe &recipe, const Words &values)
{
  if (values.empty()) fail("elements", "no values", "element symbols or 'all'");
  bool named[MAX_Z + 1] = {};
  for (const std::string &word : values) {
    if (word == "all")
      std::fill(named + 1, named + LAST_DEFAULT_Z + 1, true);
    else
      named[parse_element("elements", word)] = true;
  }
  for (int z = 1; z <= MAX_Z; z++) {
    if (!named[z])
      recipe.weight[z] = 0.0;
    else if (recipe.weight[z] == 0.0)
      recipe.weight[z] = element_weight(z);
  }
}

// pairs "symbol number" into an array indexed by atomic number
void set_by_element(double *target, const std::string &keyword, const Words &values, double lo,
                    double hi)
{
  need_pairs(keyword, values, "pairs of an element and its number");
  std::vector<double> changed(target, target + MAX_Z + 1);
  for (size_t i = 0; i < values.size(); i += 2)
    changed[parse_element(keyword, values[i])] = parse_in(keyword, values[i + 1], lo, hi);
  std::copy(changed.begin(), changed.end(), target);
}

std::vector<std::pair<int, int>> parse_stoichiometry(const Words &values)
{
  const std::string key = "stoichiometry";
  std::vector<std::pair<int, int>> fixed;
  if (values.size() == 1 && values[0] == "random") return fixed;
  need_pairs(key, values, "'random' or pairs of an element and its count");
  int total = 0;
  for (size_t i = 0; i < values.size(); i += 2) {
    const int z = parse_element(key, values[i]);
    for (const auto &seen : fixed)
      if (seen.first == z) fail(key, values[i] + " twice", "each element once");
    int count = 0;
    if (!parse_number(values[i + 1], count) || count < 1 || count > MAX_ATOMS - total)
      fail(key, quoted(values[i + 1]) + " atoms of " + values[i],
           "a whole number above 0, and at most " + std::to_string(MAX_ATOMS) + " atoms in all");
    total += count;
    fixed.emplace_back(z, count);
  }
  return fixed;
}

std::vector<std::vector<double>> parse_shapes(const Words &values)
{
  if (values.empty() || values.size() % 3)
    fail("shapes", std::to_string(values.size()) + " values", "triples of edge ratios");
  std::vector<std::vector<double>> shapes;
  for (size_t i = 0; i < values.size(); i++) {
    if (i % 3 == 0) shapes.emplace_back();
    shapes.back().push_back(parse_in("shapes", values[i], 0.0, 1000.0));
  }
  return shapes;
}

std::string keyword_list()
{
  std::string out;
  for (const char *keyword : KEYWORDS) out += (out.empty() ? "" : ", ") + std::string(keyword);
  return out;
}

}    // namespace

Recipe::Recipe()
{
  for (int z = 0; z <= MAX_Z; z++) {
    weight[z] = z <= LAST_DEFAULT_Z ? element_weight(z) : 0.0;
    radius[z] = covalent_radius(z);
  }
  set("nelements",
      split("1 0.5, 2 1, 3-6 2, 7 1.5, 8-9 1, 10 0.5, 11 0.2, 12 0.1, 13 0.08, 14 0.07,"
            "15 0.06, 16 0.05, 17 0.04, 18 0.03, 19 0.02, 20 0.01"));
  // mean 13.6 atoms, 2 % of the cells above 25
  set("natoms", split("1-4 1, 5-9 2, 10-15 3, 16-25 1.5, 26-50 0.03, 51-100 0.003"));
  set("shapes", split("1 1 1, 2 1 1, 2 2 1"));
}

bool Recipe::is_keyword(const std::string &keyword)
{
  return std::find(std::begin(KEYWORDS), std::end(KEYWORDS), keyword) != std::end(KEYWORDS);
}

/* ---------------------------------------------------------------------- */

void Recipe::set(const std::string &keyword, const std::vector<std::string> &given)
{
  std::string joined;
  for (const std::string &word : given) joined += word + " ";
  const Words values = split(joined);

  if (keyword == "elements") {
    set_elements(*this, values);
  } else if (keyword == "weights") {
    set_by_element(weight, keyword, values, 0.0, 1e9);
  } else if (keyword == "radii") {
    set_by_element(radius, keyword, values, 0.05, 10.0);
  } else if (keyword == "nelements") {
    nelements = parse_table(keyword, values, MAX_Z);
  } else if (keyword == "natoms") {
    natoms = parse_table(keyword, values, MAX_ATOMS);
  } else if (keyword == "stoichiometry") {
    fixed = parse_stoichiometry(values);
  } else if (keyword == "radius_width") {
    if (values.size() != 1) fail(keyword, std::to_string(values.size()) + " values", "1 number");
    width = parse_in(keyword, values[0], 0.0, 0.9);
  } else if (keyword == "radius_beta") {
    std::tie(beta_a, beta_b) = parse_two(keyword, values, BETA_MIN, BETA_MAX);
  } else if (keyword == "volume") {
    std::tie(volume_lo, volume_hi) = parse_interval(keyword, values, 0.0, 1e6);
  } else if (keyword == "shapes") {
    shapes = parse_shapes(values);
  } else if (keyword == "angles") {
    std::tie(angle_lo, angle_hi) = parse_interval(keyword, values, ANGLE_MIN, ANGLE_MAX);
  } else {
    throw std::invalid_argument("recipe keyword " + quoted(keyword) +
                                " is unknown, expected one of " + keyword_list());
  }
}

void Recipe::read(const std::string &path)
{
  std::ifstream file(path);
  std::string line;
  Recipe changed = *this;    // nothing is taken from a file with an error
  std::set<std::string> seen;
  int number = 0;
  while (std::getline(file, line)) {
    number++;
    Words words = split(line.substr(0, line.find('#')));
    if (words.empty()) continue;
    const std::string keyword = words[0];
    words.erase(words.begin());
    try {
      if (is_keyword(keyword) && !seen.insert(keyword).second)
        fail(keyword, "a second line", "each keyword once in a file");
      changed.set(keyword, words);
    } catch (std::invalid_argument &e) {
      throw std::invalid_argument(path + ":" + std::to_string(number) + ": " + e.what());
    }
  }
  // a folder opens but does not read
  if (!file.eof()) throw std::invalid_argument(path + ": cannot be read, expected a recipe file");
  *this = changed;
}

/* ---------------------------------------------------------------------- */

void Recipe::validate() const
{
  if (volume_lo < SMALLEST_VOLUME)
    fail("volume", "lower bound " + shortest(volume_lo),
         "at least " + shortest(SMALLEST_VOLUME) + ": a smaller cell cannot hold its atoms");
  if (angle_lo > ANGLE_LO_MAX)
    fail("angles", "lower bound " + shortest(angle_lo),
         "at most " + shortest(ANGLE_LO_MAX) + ": three larger angles do not close a cell");
  if (shapes.empty()) fail("shapes", "no shape", "at least one triple of edge ratios");
  if (!fixed.empty()) return;

  int available = 0;
  for (int z = 1; z <= MAX_Z; z++) available += weight[z] > 0.0;
  if (available == 0) fail("weights", "only weights of 0", "at least one above 0");
  const auto positive = [](double w) { return w > 0.0; };
  const auto fewest = std::find_if(nelements.begin(), nelements.end(), positive);
  if (fewest == nelements.end()) fail("nelements", "only weights of 0", "at least one above 0");
  const int k = int(fewest - nelements.begin()) + 1;
  if (k > available)
    fail("nelements", "at least " + std::to_string(k) + " different elements",
         "at most the " + std::to_string(available) + " that have a weight");
  if (int(natoms.size()) < k || !std::any_of(natoms.begin() + k - 1, natoms.end(), positive))
    fail("natoms", "at most " + std::to_string(natoms.size()) + " atoms",
         "room for the " + std::to_string(k) + " or more different elements of 'nelements'");
}
