// NumPy .npz (zip of .npy, stored, not compressed): numpy.load reads what we write, and we read
// what numpy.savez writes.

#ifndef SMAX_NPZ_H
#define SMAX_NPZ_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace smax {

struct NpzArray {
  char kind = 'f';              // 'f': float64, 'i': int64, 'u': uint64, 'U': one unicode string
  std::vector<size_t> shape;    // empty: scalar
  std::vector<double> f;        // values for kind 'f'
  std::vector<int64_t> i;       // values for kind 'i' and 'u' (bit pattern)
  std::string text;             // value for kind 'U', UTF-8

  static NpzArray of(std::vector<double> v, std::vector<size_t> shape);
  static NpzArray of(double v);
  static NpzArray of(int64_t v);
  static NpzArray of(const std::string &v);
};

using Npz = std::map<std::string, NpzArray>;

// CRC-32 of zip and zlib; crc is that of the bytes before.
uint32_t crc32(const void *data, size_t size, uint32_t crc = 0);

// Whole file in memory, written to path.tmp.PID and renamed over path. Equal content gives equal
// bytes: members in the order of their keys, no time stamp.
// Throw std::runtime_error with one sentence: path, what was found, what was expected
// (not a zip, compressed, truncated, wrong CRC, unsupported dtype, full disk, ...).
std::string npz_bytes(const Npz &arrays);
Npz parse_npz(const std::string &bytes, const std::string &name);
void write_whole_file(const std::string &path, const std::string &bytes);
std::string read_whole_file(const std::string &path);
void write_npz(const std::string &path, const Npz &arrays);
Npz read_npz(const std::string &path);

// Typed access that throws std::runtime_error naming path, key, found and expected.
double npz_double(const Npz &z, const std::string &key, const std::string &path);
int64_t npz_int(const Npz &z, const std::string &key, const std::string &path);
const std::string &npz_text(const Npz &z, const std::string &key, const std::string &path);
const std::vector<double> &npz_doubles(const Npz &z, const std::string &key,
                                       const std::vector<size_t> &shape, const std::string &path);

}    // namespace smax

#endif
