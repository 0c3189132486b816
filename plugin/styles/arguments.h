// Keyword arguments of the styles: one error that names keyword, value and what was expected.

#ifndef SMAX_ARGUMENTS_H
#define SMAX_ARGUMENTS_H

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace smax {

// Values of one keyword as they are taken; every failure throws std::invalid_argument.
class Values {
 public:
  Values(std::string where, std::string keyword, std::vector<std::string> values);
  const std::string &keyword() const { return key; }
  const std::vector<std::string> &all() const { return values; }
  void count(size_t n) const;    // exactly n values
  double number(size_t i, double lo, double hi, const char *expected) const;
  double positive(size_t i) const;
  long integer(size_t i, long lo, long hi) const;
  bool yes_no(size_t i) const;
  // index of value i among choices
  int choice(size_t i, const std::vector<std::string> &choices) const;
  [[noreturn]] void fail(const std::string &found, const std::string &expected) const;

 private:
  std::string where, key;
  std::vector<std::string> values;
};

using Handler = std::function<void(const Values &)>;
using Keywords = std::map<std::string, Handler>;

// Splits words into "keyword value ..." at each known keyword and calls its handler once; a word
// that is no keyword where one must stand, and a keyword given twice, are errors.
void parse_keywords(const std::string &where, const std::vector<std::string> &words,
                    const Keywords &keywords);

}    // namespace smax

#endif
