#include "grace_model_folder.h"

#include "plain_yaml.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <sys/stat.h>

using namespace smax;

namespace {

constexpr size_t MOST_ELEMENTS = 200;
constexpr double LONGEST = 1000.0;    // Angstrom: ghosts of such a cutoff would fill any memory

std::string slurp(const std::string &folder, const char *name)
{
  struct stat what{};
  if (stat(folder.c_str(), &what) != 0)
    throw std::runtime_error("found no folder '" + folder + "', expected that of a GRACE model");
  if (!S_ISDIR(what.st_mode))
    throw std::runtime_error("'" + folder + "' is no folder, expected that of a GRACE model");
  const std::string path = folder + "/" + name;
  if (stat(path.c_str(), &what) == 0 && !S_ISREG(what.st_mode))
    throw std::runtime_error("'" + path + "' is no regular file");
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read '" + path + "' (" + std::strerror(errno) + ")");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string joined(const std::vector<std::string> &words)
{
  std::string all;
  for (const auto &w : words) all += (all.empty() ? "" : " ") + w;
  return all;
}

double length(const Yaml &node, const std::string &what)
{
  const double v = node.number(what);
  if (!(v > 0.0 && v < LONGEST))
    throw std::runtime_error(what + " is '" + node.scalar + "', expected above 0 and below 1000");
  return v;
}

std::vector<double> matrix(const Yaml *rows, size_t n, double cutoff)
{
  if (!rows) return std::vector<double>(n * n, cutoff);
  std::vector<double> values;
  const std::string what = "cutoff_matrix";
  for (const Yaml &row : rows->list) {
    if (row.list.empty()) values.push_back(length(row, what));    // written as one long row
    for (const Yaml &v : row.list) values.push_back(length(v, what));
  }
  if (values.size() != n * n)
    throw std::runtime_error(what + " has " + std::to_string(values.size()) + " values, expected " +
                             std::to_string(n) + " x " + std::to_string(n));
  return values;
}

std::map<std::string, bool> messages_of(const Yaml *node)
{
  std::map<std::string, bool> messages;
  if (!node) return messages;
  for (const auto &entry : node->map) {
    const Yaml *far = entry.second.find("non_local");
    messages[entry.first] = !far || far->scalar != "false";
  }
  return messages;
}

}    // namespace

GraceMetadata smax::parse_grace_metadata(const std::string &text)
{
  const Yaml all = parse_yaml(text);
  const Yaml *symbols = all.find("chemical_symbols"), *cutoff = all.find("cutoff");
  if (!symbols || symbols->list.empty())
    throw std::runtime_error("found no chemical_symbols, expected a list of elements");
  if (symbols->list.size() > MOST_ELEMENTS)
    throw std::runtime_error("found " + std::to_string(symbols->list.size()) +
                             " chemical_symbols, expected up to " + std::to_string(MOST_ELEMENTS));
  if (!cutoff) throw std::runtime_error("found no cutoff, expected a length");
  GraceMetadata meta;
  for (const Yaml &symbol : symbols->list) meta.elements.push_back(symbol.scalar);
  meta.cutoffs = matrix(all.find("cutoff_matrix"), meta.count(), length(*cutoff, "cutoff"));
  meta.cutoff = *std::max_element(meta.cutoffs.begin(), meta.cutoffs.end());
  meta.messages = messages_of(all.find("parallel_communication"));
  return meta;
}

GraceMetadata smax::read_grace_metadata(const std::string &folder)
{
  const std::string text = slurp(folder, "metadata.yaml");
  try {
    return parse_grace_metadata(text);
  } catch (const std::runtime_error &e) {
    throw std::runtime_error("'" + folder + "/metadata.yaml': " + e.what());
  }
}

std::vector<double> smax::read_grace_references(const std::string &folder,
                                                const std::vector<std::string> &elements)
{
  const std::string text = slurp(folder, "references.yaml");
  try {
    const Yaml all = parse_yaml(text);
    std::vector<double> energies;
    for (const auto &element : elements) {
      const Yaml *value = all.find(element);
      if (!value)
        throw std::runtime_error("found no energy of " + element + ", expected one of each of " +
                                 joined(elements));
      energies.push_back(value->number("energy of " + element));
    }
    return energies;
  } catch (const std::runtime_error &e) {
    throw std::runtime_error("'" + folder + "/references.yaml': " + e.what());
  }
}

std::vector<int> smax::map_grace_types(const std::vector<std::string> &words, int ntypes,
                                       const std::vector<std::string> &elements)
{
  if (words.size() != size_t(ntypes))
    throw std::runtime_error("pair_coeff: found " + std::to_string(words.size()) +
                             " elements, expected " + std::to_string(ntypes) +
                             ", one for each atom type");
  std::vector<int> element_of;
  for (const auto &word : words) {
    const auto it = std::find(elements.begin(), elements.end(), word);
    if (it == elements.end() && word != "NULL")
      throw std::runtime_error("pair_coeff: found element '" + word + "', expected one of " +
                               joined(elements) + " or NULL");
    element_of.push_back(it == elements.end() ? -1 : int(it - elements.begin()));
  }
  return element_of;
}
