// The part of YAML that model folders use: block mappings and lists, lists in brackets, scalars.

#ifndef SMAX_PLAIN_YAML_H
#define SMAX_PLAIN_YAML_H

#include <string>
#include <utility>
#include <vector>

namespace smax {

struct Yaml {
  std::string scalar;                               // text of a scalar, quotes removed
  std::vector<Yaml> list;                           // items of a list
  std::vector<std::pair<std::string, Yaml>> map;    // pairs of a mapping, in their order

  const Yaml *find(const std::string &key) const;    // null if there is no such key
  double number(const std::string &what) const;      // throws std::runtime_error naming what
};

// Throws std::runtime_error naming the line.
Yaml parse_yaml(const std::string &text);

}    // namespace smax

#endif
