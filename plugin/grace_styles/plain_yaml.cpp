#include "plain_yaml.h"

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

using namespace smax;

namespace {

constexpr int DEEPEST = 32;      // a file that nests deeper is no metadata
constexpr size_t QUOTED = 60;    // characters of a file in an error

struct Line {
  size_t indent;
  std::string text;
  int number;
};

[[noreturn]] void fail(const Line &line, const std::string &expected)
{
  throw std::runtime_error("line " + std::to_string(line.number) + ": found '" +
                           line.text.substr(0, QUOTED) + "', expected " + expected);
}

std::string trimmed(const std::string &s)
{
  const size_t first = s.find_first_not_of(" \t\r"), last = s.find_last_not_of(" \t\r");
  return first == std::string::npos ? "" : s.substr(first, last - first + 1);
}

std::vector<Line> lines_of(const std::string &text)
{
  std::vector<Line> lines;
  std::istringstream in(text);
  std::string raw;
  for (int number = 1; std::getline(in, raw); number++) {
    if (!raw.empty() && raw[0] == '#') continue;
    const size_t comment = raw.find(" #");
    if (comment != std::string::npos) raw.resize(comment);
    const std::string content = trimmed(raw);
    if (content.empty() || content == "---") continue;
    lines.push_back({raw.find_first_not_of(' '), content, number});
  }
  return lines;
}

class Parser {
 public:
  explicit Parser(std::vector<Line> l) : lines(std::move(l)) {}
  Yaml document()
  {
    if (lines.empty()) return {};
    Yaml all = block(lines[0].indent, 0);
    if (at < lines.size()) fail(lines[at], "the same indentation as above");
    return all;
  }

 private:
  std::vector<Line> lines;
  size_t at = 0;

  static bool is_item(const std::string &s) { return s == "-" || s.compare(0, 2, "- ") == 0; }

  Yaml block(size_t indent, int depth)
  {
    if (depth > DEEPEST) fail(lines[at], "fewer levels");
    Yaml node;
    while (at < lines.size() && lines[at].indent == indent) {
      if (is_item(lines[at].text))
        node.list.push_back(item(indent, depth));
      else if (lines[at].text.find(':') != std::string::npos)
        node.map.push_back(pair(indent, depth));
      else if (node.list.empty() && node.map.empty())
        return inline_value(lines[at++]);
      else
        fail(lines[at], "'key: value' or '- value'");
    }
    return node;
  }

  Yaml item(size_t indent, int depth)
  {
    Line &line = lines[at];
    if (line.text == "-") {
      at++;
      return below(indent, false, depth);
    }
    const size_t shift = line.text.find_first_not_of(' ', 1);
    const std::string rest = line.text.substr(shift);
    if (!is_item(rest) && rest.find(": ") == std::string::npos && rest.back() != ':') {
      const Line value{indent, rest, line.number};
      at++;
      return inline_value(value);
    }
    line.text = rest;    // what follows the dash is a block of its own
    line.indent = indent + shift;
    return block(line.indent, depth + 1);
  }

  std::pair<std::string, Yaml> pair(size_t indent, int depth)
  {
    const Line line = lines[at++];
    const size_t colon = line.text.find(':');
    const std::string key = unquoted(trimmed(line.text.substr(0, colon)));
    const std::string rest = trimmed(line.text.substr(colon + 1));
    if (rest.empty()) return {key, below(indent, true, depth)};
    return {key, inline_value({line.indent, rest, line.number})};
  }

  // What is indented below; a list may stand as far left as its key
  Yaml below(size_t indent, bool list_beside, int depth)
  {
    if (at >= lines.size()) return {};
    const Line &next = lines[at];
    if (next.indent > indent) return block(next.indent, depth + 1);
    if (list_beside && next.indent == indent && is_item(next.text)) {
      Yaml node;
      while (at < lines.size() && lines[at].indent == indent && is_item(lines[at].text))
        node.list.push_back(item(indent, depth));
      return node;
    }
    return {};
  }

  static std::string unquoted(const std::string &s)
  {
    const bool quoted = s.size() >= 2 && (s[0] == '\'' || s[0] == '"') && s.back() == s[0];
    return quoted ? s.substr(1, s.size() - 2) : s;
  }

  static Yaml inline_value(const Line &line)
  {
    if (line.text[0] != '[') return {unquoted(line.text), {}, {}};
    size_t pos = 0;
    Yaml node = brackets(line, pos, 0);
    if (pos != line.text.size()) fail(line, "nothing after the closing bracket");
    return node;
  }

  static Yaml brackets(const Line &line, size_t &pos, int depth)
  {
    const std::string &s = line.text;
    if (depth > DEEPEST) fail(line, "fewer levels");
    Yaml node;
    pos++;    // the opening bracket
    while (true) {
      while (pos < s.size() && (s[pos] == ' ' || s[pos] == ',')) pos++;
      if (pos >= s.size()) fail(line, "a closing bracket");
      if (s[pos] == ']') break;
      if (s[pos] == '[') {
        node.list.push_back(brackets(line, pos, depth + 1));
        continue;
      }
      const size_t end = s.find_first_of(",]", pos);
      if (end == std::string::npos) fail(line, "a closing bracket");
      node.list.push_back({unquoted(trimmed(s.substr(pos, end - pos))), {}, {}});
      pos = end;
    }
    pos++;
    return node;
  }
};

}    // namespace

const Yaml *Yaml::find(const std::string &key) const
{
  for (const auto &entry : map)
    if (entry.first == key) return &entry.second;
  return nullptr;
}

double Yaml::number(const std::string &what) const
{
  char *end = nullptr;
  const double v = std::strtod(scalar.c_str(), &end);
  if (scalar.empty() || *end || !std::isfinite(v))
    throw std::runtime_error(what + " is '" + scalar.substr(0, QUOTED) + "', expected a number");
  return v;
}

Yaml smax::parse_yaml(const std::string &text)
{
  return Parser(lines_of(text)).document();
}
