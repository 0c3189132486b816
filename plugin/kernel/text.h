// Numbers as text, without the locale.

#ifndef SMAX_TEXT_H
#define SMAX_TEXT_H

#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <system_error>

namespace smax {

// Whole of s as a finite number; false if it is anything else.
template <typename T> bool parse_number(std::string_view s, T &value)
{
  if (s.size() > 1 && s[0] == '+' && s[1] != '-') s.remove_prefix(1);
  const auto result = std::from_chars(s.data(), s.data() + s.size(), value);
  return result.ec == std::errc() && result.ptr == s.data() + s.size() &&
         std::isfinite(double(value));
}

// Shortest text that reads back as the same double.
inline void append_shortest(std::string &out, double v)
{
  char buffer[32];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof(buffer), v).ptr);
}

inline std::string shortest(double v)
{
  std::string out;
  append_shortest(out, v);
  return out;
}

}    // namespace smax

#endif
