#include "npy.h"

#include "text.h"

#include <cstring>
#include <stdexcept>

using namespace smax;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian, as memory is");

namespace {

constexpr char MAGIC[] = "\x93NUMPY";
constexpr size_t ALIGN = 64;

[[noreturn]] void fail(const std::string &what, const std::string &found,
                       const std::string &expected)
{
  throw std::runtime_error(what + " " + found + ", expected " + expected);
}

std::string printable(std::string_view s)
{
  std::string out(s.substr(0, 40));
  for (char &c : out)
    if (c < ' ' || c > '~') c = '?';
  return "'" + out + "'";
}

/* ---------------------------------------------------------------------- */

// UTF-8 to code points; bytes that are not UTF-8 become U+FFFD
std::u32string decode_utf8(std::string_view s)
{
  std::u32string out;
  for (size_t i = 0; i < s.size();) {
    const unsigned char lead = s[i++];
    const int more = lead < 0x80 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    char32_t code = more ? lead & (0x3f >> more) : lead;
    bool good = lead < 0x80 || (lead >= 0xc2 && lead < 0xf5);
    for (int k = 0; good && k < more; k++) {
      good = i < s.size() && (s[i] & 0xc0) == 0x80;
      if (good) code = (code << 6) | (s[i++] & 0x3f);
    }
    const bool valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    out += good && valid ? code : char32_t(0xfffd);
  }
  return out;
}

void append_utf8(std::string &out, char32_t c)
{
  if (c < 0x80) {
    out += char(c);
    return;
  }
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static constexpr unsigned char LEAD[] = {0, 0xc0, 0xe0, 0xf0};
  out += char(LEAD[more] | (c >> (6 * more)));
  for (int k = more - 1; k >= 0; k--) out += char(0x80 | ((c >> (6 * k)) & 0x3f));
}

/* ---------------------------------------------------------------------- */

struct Header {
  std::string descr;
  std::vector<size_t> shape;
};

// The header is a Python dict with three known keys; anything else is refused.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string &what) : s(text), what(what) {}

  Header parse()
  {
    Header header;
    int seen = 0;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        header.descr = dtype();
        seen |= 1;
      } else if (key == "fortran_order") {
        order();
        seen |= 2;
      } else if (key == "shape") {
        header.shape = tuple();
        seen |= 4;
      } else {
        bad();
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (seen != 7) bad();
    return header;
  }

 private:
  std::string_view s;
  const std::string &what;
  size_t i = 0;

  [[noreturn]] void bad() const
  {
    fail(what, "has a damaged .npy header", "descr, fortran_order, shape");
  }

  void blanks()
  {
    while (i < s.size() && (s[i] == ' ' || s[i] == '\n')) i++;
  }

  bool accept(char c)
  {
    blanks();
    if (i >= s.size() || s[i] != c) return false;
    i++;
    return true;
  }

  void expect(char c)
  {
    if (!accept(c)) bad();
  }

  std::string quoted()
  {
    blanks();
    const char quote = i < s.size() ? s[i] : '\0';
    const size_t end =
        quote == '\'' || quote == '"' ? s.find(quote, i + 1) : std::string_view::npos;
    if (end == std::string_view::npos) bad();
    const std::string out(s.substr(i + 1, end - i - 1));
    i = end + 1;
    return out;
  }

  std::string dtype()
  {
    blanks();
    if (i < s.size() && s[i] == '[') fail(what, "has a structured dtype", "<f8, <i8, <u8 or <U");
    return quoted();
  }

  void order()
  {
    blanks();
    if (s.substr(i, 4) == "True") fail(what, "is in Fortran order", "C order");
    if (s.substr(i, 5) != "False") bad();
    i += 5;
  }

  std::vector<size_t> tuple()
  {
    std::vector<size_t> shape;
    expect('(');
    while (!accept(')')) {
      blanks();
      const size_t start = i;
      while (i < s.size() && s[i] >= '0' && s[i] <= '9') i++;
      size_t extent;
      if (!parse_number(s.substr(start, i - start), extent) || shape.size() == 32) bad();
      shape.push_back(extent);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }
};

// items in the array; size_t(-1) if more than the bytes can hold
size_t count_items(const std::vector<size_t> &shape, size_t limit)
{
  size_t total = 1;
  for (size_t extent : shape)
    if (extent == 0) return 0;
  for (size_t extent : shape) {
    if (extent > limit / total) return size_t(-1);
    total *= extent;
  }
  return total;
}

template <typename T> std::vector<T> values(std::string_view data)
{
  std::vector<T> out(data.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), data.data(), out.size() * sizeof(T));
  return out;
}

std::string parse_text(std::string_view data, const std::string &what)
{
  std::string out;
  size_t end = data.size();
  while (end >= 4 && data.substr(end - 4, 4) == std::string_view("\0\0\0\0", 4)) end -= 4;
  for (size_t i = 0; i < end; i += 4) {
    char32_t code;
    std::memcpy(&code, data.data() + i, 4);
    if (code > 0x10ffff) fail(what, "has a character that is not Unicode", "text");
    append_utf8(out, code);
  }
  return out;
}

// header and data of the image, after a check of magic, version and lengths
std::pair<std::string_view, std::string_view> divide(std::string_view bytes,
                                                     const std::string &what)
{
  if (bytes.size() < 10 || bytes.substr(0, 6) != MAGIC)
    fail(what, "is not a .npy image", "the NumPy magic string");
  const int version = bytes[6];
  if (version < 1 || version > 3)
    fail(what, "has .npy version " + std::to_string(version), "1 to 3");
  const size_t width = version == 1 ? 2 : 4;
  size_t length = 0;
  for (size_t k = 0; k < width && 8 + k < bytes.size(); k++)
    length |= size_t(static_cast<unsigned char>(bytes[8 + k])) << (8 * k);
  const size_t start = 8 + width;
  if (start > bytes.size() || length > bytes.size() - start)
    fail(what, "ends inside its header", "a whole .npy image");
  return {bytes.substr(start, length), bytes.substr(start + length)};
}

}    // namespace

NpzArray smax::parse_npy(std::string_view bytes, const std::string &what)
{
  const auto [text, data] = divide(bytes, what);
  const Header header = HeaderParser(text, what).parse();
  NpzArray out;
  out.shape = header.shape;
  size_t item = 8;
  if (header.descr == "<f8" || header.descr == "<i8" || header.descr == "<u8") {
    out.kind = header.descr[1];
  } else if (header.descr.substr(0, 2) == "<U" && out.shape.empty()) {
    uint32_t length;
    if (!parse_number(std::string_view(header.descr).substr(2), length))
      fail(what, "has dtype " + printable(header.descr), "<f8, <i8, <u8 or <U");
    out.kind = 'U';
    item = 4 * size_t(length);
  } else {
    fail(what, "has dtype " + printable(header.descr), "<f8, <i8, <u8 or one <U string");
  }
  const size_t items = count_items(out.shape, data.size());
  if (items == size_t(-1) || items > data.size() || items * item != data.size())
    fail(what, "has " + std::to_string(data.size()) + " bytes of data", "what its shape says");
  if (out.kind == 'f') out.f = values<double>(data);
  if (out.kind == 'i' || out.kind == 'u') out.i = values<int64_t>(data);
  if (out.kind == 'U') out.text = parse_text(data, what);
  return out;
}

std::string smax::npy_bytes(const std::string &key, const NpzArray &a)
{
  std::string descr = a.kind == 'f' ? "<f8" : a.kind == 'i' ? "<i8" : "<u8";
  std::u32string text;
  if (a.kind == 'U') {
    text = decode_utf8(a.text);
    if (text.empty()) text.push_back(0);    // as NumPy: no dtype of width 0
    descr = "<U" + std::to_string(text.size());
  }
  const size_t stored = a.kind == 'f' ? a.f.size() : a.kind == 'U' ? 1 : a.i.size();
  if (count_items(a.shape, stored ? stored : 1) != stored)
    fail("key '" + key + "'", "has " + std::to_string(stored) + " values", "what its shape says");

  std::string shape = "(";
  for (size_t extent : a.shape)
    shape += std::to_string(extent) + (a.shape.size() == 1 ? "," : ", ");
  if (a.shape.size() > 1) shape.resize(shape.size() - 2);
  std::string header =
      "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + "), }";
  const size_t before = 10 + header.size() + 1;
  header.append((ALIGN - before % ALIGN) % ALIGN, ' ');
  header += '\n';

  std::string out(MAGIC, 6);
  out += {'\x01', '\x00', char(header.size() & 0xff), char(header.size() >> 8)};
  out += header;
  if (a.kind == 'U')
    out.append(reinterpret_cast<const char *>(text.data()), 4 * text.size());
  else if (a.kind == 'f')
    out.append(reinterpret_cast<const char *>(a.f.data()), 8 * a.f.size());
  else
    out.append(reinterpret_cast<const char *>(a.i.data()), 8 * a.i.size());
  return out;
}
