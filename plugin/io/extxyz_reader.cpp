#include "extxyz.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

using namespace smax;

namespace {

constexpr int64_t MAX_FRAME_ATOMS = 100000000;
constexpr size_t MAX_LINE = 1 << 24, MAX_COLUMNS = 100000;
constexpr const char *PLAIN = "species:S:1:pos:R:3";

std::string printable(std::string_view s)
{
  std::string out(s.substr(0, 40));
  for (char &c : out)
    if (c < ' ' || c > '~') c = '?';
  return "'" + out + "'";
}

std::vector<std::string_view> split(std::string_view s, std::string_view separators)
{
  std::vector<std::string_view> out;
  for (size_t at = s.find_first_not_of(separators); at != std::string_view::npos;) {
    const size_t end = std::min(s.find_first_of(separators, at), s.size());
    out.push_back(s.substr(at, end - at));
    at = s.find_first_not_of(separators, end);
  }
  return out;
}

constexpr std::string_view BLANKS = " \t\r\v\f";

// The "key=value key2="quoted value" flag" line. Tolerant: a plain comment must not fail.
class KeyValues {
 public:
  explicit KeyValues(std::string_view text) : s(text)
  {
    while (blanks(), i < s.size()) {
      const std::string key = word("=");
      const size_t after = i;
      blanks();
      if (i < s.size() && s[i] == '=') {
        i++;
        blanks();
        pairs.emplace_back(key, word(""));
      } else {
        i = after;
        pairs.emplace_back(key, "T");
      }
    }
  }

  const std::string *find(const std::string &key) const
  {
    for (const auto &pair : pairs)
      if (pair.first == key) return &pair.second;
    return nullptr;
  }

  bool unclosed = false;    // a quote or bracket without its end

 private:
  std::string_view s;
  size_t i = 0;
  std::vector<std::pair<std::string, std::string>> pairs;

  void blanks()
  {
    while (i < s.size() && BLANKS.find(s[i]) != std::string_view::npos) i++;
  }

  std::string word(std::string_view stops)
  {
    if (i < s.size() && (s[i] == '"' || s[i] == '\'')) return quoted(s[i]);
    if (i < s.size() && s[i] == '{') return bracketed('{', '}');
    if (i < s.size() && s[i] == '[') return bracketed('[', ']');
    const size_t start = i;
    while (i < s.size() && BLANKS.find(s[i]) == std::string_view::npos &&
           stops.find(s[i]) == std::string_view::npos)
      i++;
    return std::string(s.substr(start, i - start));
  }

  std::string quoted(char quote)
  {
    std::string out;
    for (i++; i < s.size(); i++) {
      if (s[i] == quote) {
        i++;
        return out;
      }
      if (s[i] == '\\' && i + 1 < s.size()) i++;
      out += s[i];
    }
    unclosed = true;
    return out;
  }

  std::string bracketed(char open, char close)
  {
    const size_t start = ++i;
    for (int depth = 1; i < s.size(); i++) {
      depth += (s[i] == open) - (s[i] == close);
      if (depth == 0) return std::string(s.substr(start, i++ - start));
    }
    unclosed = true;
    return std::string(s.substr(start));
  }
};

bool parse_flag(std::string_view word, bool &flag)
{
  flag = word == "T" || word == "True" || word == "true" || word == "TRUE" || word == "1";
  return flag || word == "F" || word == "False" || word == "false" || word == "FALSE" ||
         word == "0";
}

// symbol in any case, or an atomic number; 0 if neither
int parse_species(std::string_view word)
{
  std::string symbol(word.substr(0, 8));
  for (size_t k = 0; k < symbol.size(); k++) {
    if (k == 0 && symbol[k] >= 'a' && symbol[k] <= 'z') symbol[k] += 'A' - 'a';
    if (k > 0 && symbol[k] >= 'A' && symbol[k] <= 'Z') symbol[k] += 'a' - 'A';
  }
  int z = element_z(symbol);
  if (z == 0 && (!parse_number(word, z) || z < 1 || z > MAX_Z)) z = 0;
  return z;
}

}    // namespace

// columns of the table of atoms; -1: absent
struct ExtxyzReader::Layout {
  int species = -1, pos = -1, radius = -1;
  size_t columns = 0;
  bool plain = false;    // more columns may follow
};

ExtxyzReader::ExtxyzReader(const std::string &path) : path(path), buffer(1 << 16)
{
  fp = fopen(path.c_str(), "rb");
  if (!fp)
    throw std::runtime_error(path + ": " + std::strerror(errno) + ", expected a readable XYZ file");
}

ExtxyzReader::~ExtxyzReader()
{
  fclose(fp);
}

void ExtxyzReader::fail(const std::string &found, const std::string &expected) const
{
  throw std::runtime_error(path + ": frame " + std::to_string(nframes + 1) + ", line " +
                           std::to_string(nlines) + ": " + found + ", expected " + expected);
}

// next line without its end; false at the end of the file
bool ExtxyzReader::line(std::string &out)
{
  out.clear();
  bool any = false;
  for (;;) {
    if (position == filled) {
      filled = fread(buffer.data(), 1, buffer.size(), fp);
      position = 0;
      if (filled == 0) {
        if (ferror(fp)) fail(std::strerror(errno), "a readable XYZ file");
        break;
      }
    }
    any = true;
    const char *start = buffer.data() + position;
    const auto *end = static_cast<const char *>(std::memchr(start, '\n', filled - position));
    const size_t length = end ? end - start : filled - position;
    out.append(start, length);
    if (out.size() > MAX_LINE) fail("a line of more than 16 MB", "text");
    position += length + (end != nullptr);
    if (end) break;
  }
  nlines += any;
  if (!out.empty() && out.back() == '\r') out.pop_back();
  return any;
}

// number of atoms; -1 at the end of the file
int64_t ExtxyzReader::header()
{
  std::string text;
  std::vector<std::string_view> words;
  do {
    if (!line(text)) return -1;
    words = split(text, BLANKS);
  } while (words.empty());
  int64_t n = 0;
  if (words.size() != 1 || !parse_number(words[0], n) || n < 1 || n > MAX_FRAME_ATOMS)
    fail("found " + printable(text), "the number of atoms, 1 to 100000000");
  return n;
}

ExtxyzReader::Layout ExtxyzReader::parse_comment(const std::string &text, ExtxyzFrame &frame) const
{
  const KeyValues info(text);
  const std::string *lattice = info.find("Lattice"), *properties = info.find("Properties");
  if (info.unclosed && (text.find("Lattice") != text.npos || text.find("Properties") != text.npos))
    fail("found a quote or bracket that does not close", "key=\"value\" pairs");

  frame.has_cell = lattice != nullptr;
  if (lattice) {
    const auto words = split(*lattice, " \t,[]{}");
    bool good = words.size() == 9;
    for (int k = 0; k < 9 && good; k++) good = parse_number(words[k], frame.cell[k / 3][k % 3]);
    if (!good) fail("found Lattice " + printable(*lattice), "9 finite numbers");
  }
  const std::string *pbc = info.find("pbc");
  std::fill_n(frame.pbc, 3, frame.has_cell);
  if (pbc && (lattice || properties)) {
    const auto words = split(*pbc, " \t,[]{}");
    bool good = words.size() == 3;
    for (int k = 0; k < 3 && good; k++) good = parse_flag(words[k], frame.pbc[k]);
    if (!good) fail("found pbc " + printable(*pbc), "3 of T or F");
  }

  Layout layout;
  layout.plain = !lattice && !properties;
  const std::string columns = properties ? *properties : PLAIN;
  const auto words = split(columns, ":");
  int numbers = -1;
  for (size_t i = 0; i < words.size(); i += 3) {
    size_t width = 0;
    if (words.size() % 3 || words[i + 1].size() != 1 ||
        std::strchr("SRIL", words[i + 1][0]) == nullptr || !parse_number(words[i + 2], width) ||
        width < 1 || width > MAX_COLUMNS || layout.columns > MAX_COLUMNS)
      fail("found Properties " + printable(columns), "name:type:count with type S, R, I or L");
    const std::string_view name = words[i], type = words[i + 1];
    const int column = int(layout.columns);
    if (name == "species" && type == "S" && width == 1) layout.species = column;
    if ((name == "Z" || name == "numbers") && type == "I" && width == 1) numbers = column;
    if (name == "pos" && type == "R" && width == 3) layout.pos = column;
    if (name == "r_eff" && type == "R" && width == 1) layout.radius = column;
    layout.columns += width;
  }
  if (layout.species < 0) layout.species = numbers;
  if (layout.species < 0 || layout.pos < 0)
    fail("found Properties " + printable(columns), "species:S:1 (or Z:I:1) and pos:R:3 in it");
  return layout;
}

void ExtxyzReader::row(const std::string &text, const Layout &layout, ExtxyzFrame &frame)
{
  const auto words = split(text, BLANKS);
  if (words.size() < layout.columns || (words.size() > layout.columns && !layout.plain))
    fail("found " + std::to_string(words.size()) + " columns in " + printable(text),
         std::to_string(layout.columns));
  const int z = parse_species(words[layout.species]);
  if (z == 0)
    fail("found species " + printable(words[layout.species]),
         "an element from H to Cm (Z 1 to 96)");
  frame.z.push_back(z);
  for (int k = 0; k < 3; k++) {
    double value;
    const std::string_view word = words[layout.pos + k];
    if (!parse_number(word, value)) fail("found coordinate " + printable(word), "a finite number");
    frame.x.push_back(value);
  }
  if (layout.radius < 0) return;
  double value;
  const std::string_view word = words[layout.radius];
  if (!parse_number(word, value) || value <= 0.0)
    fail("found r_eff " + printable(word), "a finite number above 0");
  frame.radius.push_back(value);
}

bool ExtxyzReader::next(ExtxyzFrame &frame)
{
  const int64_t n = header();
  if (n < 0) return false;
  std::string text;
  if (!line(text)) fail("the file ends", "a comment line");
  frame = ExtxyzFrame();
  const Layout layout = parse_comment(text, frame);
  for (int64_t i = 0; i < n; i++) {
    if (!line(text))
      fail("the file ends after " + std::to_string(i) + " atoms", std::to_string(n) + " atoms");
    row(text, layout, frame);
  }
  nframes++;
  return true;
}

bool ExtxyzReader::skip()
{
  const int64_t n = header();
  if (n < 0) return false;
  std::string text;
  for (int64_t i = -1; i < n; i++)
    if (!line(text))
      fail("the file ends after " + std::to_string(std::max<int64_t>(i, 0)) + " atoms",
           std::to_string(n) + " atoms");
  nframes++;
  return true;
}
