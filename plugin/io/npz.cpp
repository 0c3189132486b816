// The zip container and the file. PKWARE APPNOTE 6.3, stored members only.

#include "npz.h"

#include "npy.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>

#include <sys/stat.h>
#include <unistd.h>

using namespace smax;

namespace {

constexpr uint32_t LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50;
constexpr size_t LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22;
constexpr uint64_t ZIP64 = 0xffffffff;    // the true number is in the zip64 extra field
constexpr uint16_t DATE_1980 = 0x0021;    // the smallest date of the format
constexpr uint16_t UTF8_NAME = 0x0800, ENCRYPTED = 0x0001;

[[noreturn]] void fail(const std::string &path, const std::string &found,
                       const std::string &expected)
{
  throw std::runtime_error(path + ": " + found + ", expected " + expected);
}

[[noreturn]] void truncated(const std::string &path)
{
  fail(path, "damaged or truncated zip", "a whole .npz file");
}

/* ----------------------------------------------------------------------
   write
------------------------------------------------------------------------- */

void put(std::string &out, uint64_t value, int bytes)
{
  for (int k = 0; k < bytes; k++) out += char((value >> (8 * k)) & 0xff);
}

// what local header and central entry share
void put_member(std::string &out, uint32_t crc, size_t size, const std::string &name)
{
  put(out, 20, 2);    // version 2.0 needed
  put(out, UTF8_NAME, 2);
  put(out, 0, 2);    // stored
  put(out, 0, 2);    // time
  put(out, DATE_1980, 2);
  put(out, crc, 4);
  put(out, size, 4);
  put(out, size, 4);
  put(out, name.size(), 2);
  put(out, 0, 2);    // extra field
}

/* ----------------------------------------------------------------------
   read
------------------------------------------------------------------------- */

struct Bytes {
  std::string_view s;
  const std::string &path;

  uint64_t get(size_t at, int bytes) const
  {
    if (at > s.size() || s.size() - at < size_t(bytes)) truncated(path);
    uint64_t value = 0;
    for (int k = 0; k < bytes; k++)
      value |= uint64_t(static_cast<unsigned char>(s[at + k])) << (8 * k);
    return value;
  }

  std::string_view slice(size_t at, size_t size) const
  {
    if (at > s.size() || s.size() - at < size) truncated(path);
    return s.substr(at, size);
  }
};

struct Member {
  std::string name;
  uint32_t crc = 0;
  uint64_t size = 0, packed = 0, offset = 0;
};

size_t find_end(const Bytes &file)
{
  if (file.s.size() < END_SIZE) fail(file.path, "no zip directory found", "a .npz file");
  const size_t last = file.s.size() - END_SIZE;
  const size_t lowest = last > 0xffff ? last - 0xffff : 0;    // a comment may follow
  for (size_t at = last + 1; at-- > lowest;)
    if (file.get(at, 4) == END) return at;
  fail(file.path, "no zip directory found", "a whole .npz file");
}

// zip64 extra field (id 1): only the numbers that do not fit, in this order
void take_zip64(Member &m, const Bytes &extra)
{
  for (size_t at = 0; at + 4 <= extra.s.size();) {
    const size_t id = extra.get(at, 2), size = extra.get(at + 2, 2);
    const Bytes field{extra.slice(at + 4, size), extra.path};
    at += 4 + size;
    if (id != 1) continue;
    size_t next = 0;
    for (uint64_t *number : {&m.size, &m.packed, &m.offset}) {
      if (*number != ZIP64) continue;
      *number = field.get(next, 8);
      next += 8;
    }
    return;
  }
}

Member read_entry(const Bytes &file, size_t at, size_t &next)
{
  if (file.get(at, 4) != CENTRAL) truncated(file.path);
  Member m;
  const uint64_t flags = file.get(at + 8, 2), method = file.get(at + 10, 2);
  m.crc = uint32_t(file.get(at + 16, 4));
  m.packed = file.get(at + 20, 4);
  m.size = file.get(at + 24, 4);
  m.offset = file.get(at + 42, 4);
  const size_t name = file.get(at + 28, 2), extra = file.get(at + 30, 2);
  m.name = std::string(file.slice(at + CENTRAL_SIZE, name));
  take_zip64(m, Bytes{file.slice(at + CENTRAL_SIZE + name, extra), file.path});
  next = at + CENTRAL_SIZE + name + extra + file.get(at + 32, 2);
  if (flags & ENCRYPTED) fail(file.path, "member '" + m.name + "' is encrypted", "plain members");
  if (method != 0)
    fail(file.path, "member '" + m.name + "' is compressed",
         "stored members as numpy.savez writes them, not savez_compressed");
  if (m.size != m.packed) truncated(file.path);
  return m;
}

std::string_view member_data(const Bytes &file, const Member &m)
{
  if (m.offset > file.s.size() || file.get(m.offset, 4) != LOCAL) truncated(file.path);
  const size_t header = LOCAL_SIZE + file.get(m.offset + 26, 2) + file.get(m.offset + 28, 2);
  const std::string_view data = file.slice(m.offset + header, m.size);
  if (crc32(data.data(), data.size()) != m.crc)
    fail(file.path, "member '" + m.name + "' has a wrong CRC-32", "an undamaged file");
  return data;
}

std::string key_of(const Member &m, const std::string &path)
{
  const size_t n = m.name.size();
  if (n < 5 || m.name.substr(n - 4) != ".npy")
    fail(path, "member '" + m.name + "' is no array", "names that end in .npy");
  return m.name.substr(0, n - 4);
}

Npz parse_zip(const Bytes &file)
{
  Npz out;
  const size_t end = find_end(file);
  const size_t count = file.get(end + 10, 2);
  size_t at = file.get(end + 16, 4), total = 0;
  if (count == 0xffff || at == ZIP64) fail(file.path, "zip64 directory", "less than 4 GiB");
  for (size_t i = 0; i < count; i++) {
    const Member m = read_entry(file, at, at);
    const std::string key = key_of(m, file.path);
    const std::string_view data = member_data(file, m);
    total += data.size();
    // members that share bytes could ask for more memory than the file has
    if (total > file.s.size() || out.count(key)) truncated(file.path);
    out[key] = parse_npy(data, file.path + ": key '" + key + "'");
  }
  return out;
}

struct CloseFile {
  void operator()(FILE *fp) const { fclose(fp); }
};
using File = std::unique_ptr<FILE, CloseFile>;

std::string system_error()
{
  return std::strerror(errno);
}

bool write_whole(const std::string &path, const std::string &bytes)
{
  FILE *fp = fopen(path.c_str(), "wb");
  if (!fp) return false;
  const bool written = fwrite(bytes.data(), 1, bytes.size(), fp) == bytes.size() && fflush(fp) == 0;
  const int reason = errno;
  const bool closed = fclose(fp) == 0;
  if (!written) errno = reason;
  return written && closed;
}

}    // namespace

/* ---------------------------------------------------------------------- */

uint32_t smax::crc32(const void *data, size_t size, uint32_t crc)
{
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; i++) {
      t[i] = i;
      for (int k = 0; k < 8; k++) t[i] = (t[i] >> 1) ^ (t[i] & 1 ? 0xedb88320u : 0u);
    }
    return t;
  }();
  const auto *byte = static_cast<const unsigned char *>(data);
  crc = ~crc;
  for (size_t i = 0; i < size; i++) crc = table[(crc ^ byte[i]) & 0xff] ^ (crc >> 8);
  return ~crc;
}

/* ---------------------------------------------------------------------- */

std::string smax::npz_bytes(const Npz &arrays)
{
  std::string out, directory;
  for (const auto &[key, array] : arrays) {
    const std::string name = key + ".npy", data = npy_bytes(key, array);
    const uint32_t crc = crc32(data.data(), data.size());
    const size_t offset = out.size();
    if (offset + data.size() > 0xf0000000u || name.size() > 0xffff || arrays.size() > 0xfff0)
      fail("key '" + key + "'", "too much for one .npz file", "less than 4 GiB");
    put(out, LOCAL, 4);
    put_member(out, crc, data.size(), name);
    out += name + data;
    put(directory, CENTRAL, 4);
    put(directory, 20, 2);    // version made by
    put_member(directory, crc, data.size(), name);
    put(directory, 0, 6);    // comment, disk, internal attributes
    put(directory, uint64_t(0600) << 16, 4);
    put(directory, offset, 4);
    directory += name;
  }
  const size_t start = out.size();
  out += directory;
  put(out, END, 4);
  put(out, 0, 4);    // disks
  put(out, arrays.size(), 2);
  put(out, arrays.size(), 2);
  put(out, directory.size(), 4);
  put(out, start, 4);
  put(out, 0, 2);
  return out;
}

void smax::write_npz(const std::string &path, const Npz &arrays)
{
  write_whole_file(path, npz_bytes(arrays));
}

void smax::write_whole_file(const std::string &path, const std::string &bytes)
{
  const std::string temporary = path + ".tmp." + std::to_string(getpid());
  if (write_whole(temporary, bytes) && rename(temporary.c_str(), path.c_str()) == 0) return;
  const std::string reason = system_error();
  remove(temporary.c_str());
  throw std::runtime_error(path + ": cannot be written: " + reason);
}

std::string smax::read_whole_file(const std::string &path)
{
  File fp(fopen(path.c_str(), "rb"));
  if (!fp) fail(path, system_error(), "a readable .npz file");
  struct stat status;
  if (fstat(fileno(fp.get()), &status) != 0 || !S_ISREG(status.st_mode))
    fail(path, "not a regular file", "a .npz file");
  std::string bytes(size_t(status.st_size), '\0');
  if (fread(&bytes[0], 1, bytes.size(), fp.get()) != bytes.size())
    fail(path, "cannot be read to its end", "a .npz file");
  return bytes;
}

Npz smax::read_npz(const std::string &path)
{
  return parse_npz(read_whole_file(path), path);
}

Npz smax::parse_npz(const std::string &bytes, const std::string &name)
{
  return parse_zip(Bytes{bytes, name});
}
