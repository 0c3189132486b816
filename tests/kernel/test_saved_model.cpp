// The reader of saved_model.pb: a small model made here, every truncation of it, and noise.

#include "saved_model.h"

#include "padding.h"

#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>

namespace {

int failures = 0;

void check(bool good, const std::string &what)
{
  if (good) return;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  failures++;
}

std::string varint(uint64_t v)
{
  std::string s;
  for (; v > 127; v >>= 7) s += char(v | 128);
  return s + char(v);
}

std::string bytes(int field, const std::string &s)
{
  return varint(uint64_t(field) << 3 | 2) + varint(s.size()) + s;
}

std::string number(int field, int64_t v)
{
  return varint(uint64_t(field) << 3) + varint(uint64_t(v));
}

std::string tensor(const std::string &name, int dtype, const std::string &dims)
{
  return bytes(1, name) + number(2, dtype) + bytes(3, dims);
}

std::string model(const std::string &tag)
{
  const std::string free = bytes(2, number(1, -1)), three = bytes(2, number(1, 3));
  const std::string input = bytes(1, "r") + bytes(2, tensor("call_r:0", 2, free + three));
  const std::string output = bytes(1, "e") + bytes(2, tensor("StatefulPartitionedCall:4", 1, ""));
  const std::string signature = bytes(1, input) + bytes(2, output) + bytes(3, "method");
  const std::string info = bytes(4, tag) + bytes(5, "2.20.0");
  const std::string graph = bytes(1, info) + bytes(2, std::string(300, 'g')) +
                            bytes(5, bytes(1, "compute") + bytes(2, signature));
  return number(1, 1) + bytes(2, graph);
}

void whole()
{
  const smax::SavedModel m = smax::parse_saved_model(model("serve"));
  check(m.version == "2.20.0" && m.signatures.size() == 1, "version and signatures");
  const smax::Signature &s = m.signatures.at("compute");
  const smax::TensorSpec &r = s.inputs.at("r"), &e = s.outputs.at("e");
  check(r.operation() == "call_r" && r.index() == 0 && r.dtype == 2, "input");
  check(r.dims == std::vector<int64_t>({-1, 3}), "unknown and known dimension");
  check(e.operation() == "StatefulPartitionedCall" && e.index() == 4 && e.dims.empty(), "output");
}

// Throws std::runtime_error or reads; anything else is for the sanitizers to find.
bool reads(const std::string &data)
{
  try {
    smax::parse_saved_model(data);
    return true;
  } catch (const std::runtime_error &) {
    return false;
  }
}

void broken()
{
  const std::string good = model("serve");
  check(!reads(model("train")), "a graph for training alone");
  for (size_t n = 0; n < good.size(); n++)
    check(!reads(std::string(good, 0, n)), "truncated to " + std::to_string(n));
  std::mt19937 rng(1);
  for (int trial = 0; trial < 20000; trial++) {
    std::string data = good;
    for (int k = 0; k < 3; k++) data[rng() % data.size()] = char(rng());
    reads(data);
  }
  check(!reads(std::string(11, '\xff')), "a number without end");
}

void sizes()
{
  smax::Capacity room(0.03, 2.0), exact;
  check(exact.fit(33) == 33 && exact.fit(20) == 33, "no margin");
  const int64_t first = room.fit(1000);
  check(first > 1050 && first < 1100 && room.fit(first) == first, "a margin, kept");
  check(room.fit(first + 1) > first + 50, "outgrown");
  const int64_t large = room.size();
  for (int k = 0; k < 19; k++) check(room.fit(10) == large, "patience");
  check(room.fit(10) < 20, "far too large for long");
}

}    // namespace

int main()
{
  whole();
  broken();
  sizes();
  return failures ? 1 : 0;
}
