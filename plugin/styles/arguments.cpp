#include "arguments.h"

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>
#include <stdexcept>

using namespace smax;

namespace {
// too many values: one that looks like a word may be meant as a keyword
struct SurplusWord {
  std::string error, word;
};

std::string unknown(const std::string &word, const Keywords &keywords)
{
  std::string list;
  for (const auto &k : keywords) list += (list.empty() ? "" : ", ") + k.first;
  return "unknown keyword '" + word + "', expected one of " + list;
}
}    // namespace

Values::Values(std::string w, std::string k, std::vector<std::string> v) :
    where(std::move(w)), key(std::move(k)), values(std::move(v))
{
}

void Values::fail(const std::string &found, const std::string &expected) const
{
  throw std::invalid_argument(where + " " + key + ": found " + found + ", expected " + expected);
}

void Values::count(size_t n) const
{
  if (values.size() == n) return;
  const std::string found = std::to_string(values.size()) + " values";
  const std::string expected = std::to_string(n);
  if (values.size() > n && isalpha(static_cast<unsigned char>(values[n][0])))
    throw SurplusWord{where + " " + key + ": found " + found + ", expected " + expected, values[n]};
  fail(found, expected);
}

double Values::number(size_t i, double lo, double hi, const char *expected) const
{
  char *end = nullptr;
  const double v = std::strtod(values[i].c_str(), &end);
  if (values[i].empty() || *end || !std::isfinite(v) || v < lo || v > hi)
    fail("'" + values[i] + "'", expected);
  return v;
}

double Values::positive(size_t i) const
{
  return number(i, std::numeric_limits<double>::min(), std::numeric_limits<double>::max(),
                "a positive number");
}

long Values::integer(size_t i, long lo, long hi) const
{
  char *end = nullptr;
  const long v = std::strtol(values[i].c_str(), &end, 10);
  if (values[i].empty() || *end || v < lo || v > hi)
    fail("'" + values[i] + "'",
         "an integer from " + std::to_string(lo) + " to " + std::to_string(hi));
  return v;
}

bool Values::yes_no(size_t i) const
{
  return choice(i, {"no", "yes"}) == 1;
}

int Values::choice(size_t i, const std::vector<std::string> &choices) const
{
  std::string list;
  for (size_t k = 0; k < choices.size(); k++) {
    if (values[i] == choices[k]) return int(k);
    list += (k ? " or " : "") + choices[k];
  }
  fail("'" + values[i] + "'", list);
}

void smax::parse_keywords(const std::string &where, const std::vector<std::string> &words,
                          const Keywords &keywords)
{
  std::set<std::string> seen;
  size_t i = 0;
  while (i < words.size()) {
    const auto it = keywords.find(words[i]);
    if (it == keywords.end())
      throw std::invalid_argument(where + ": " + unknown(words[i], keywords));
    if (!seen.insert(words[i]).second)
      throw std::invalid_argument(where + ": keyword '" + words[i] + "' is given twice");
    size_t end = i + 1;
    while (end < words.size() && !keywords.count(words[end])) end++;
    if (end == i + 1)
      throw std::invalid_argument(where + " " + words[i] + ": no value, expected at least one");
    try {
      it->second(Values(where, words[i], {words.begin() + i + 1, words.begin() + end}));
    } catch (const SurplusWord &e) {
      throw std::invalid_argument(e.error + "; or " + unknown(e.word, keywords));
    }
    i = end;
  }
}
