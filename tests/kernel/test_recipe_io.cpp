// Recipe, lattice reduction, .npz and extended XYZ. Without arguments: the tests, nonzero if one
// fails. With a subcommand: a window for the Python tests, which hold the independent oracles.

#include "cell.h"
#include "extxyz.h"
#include "npz.h"
#include "recipe.h"
#include "rng.h"
#include "text.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

using namespace smax;

namespace {

int failures = 0;

void check(bool good, const std::string &what)
{
  if (good) return;
  failures++;
  std::cerr << "FAILED: " << what << "\n";
}

// the action throws, and its message holds every part
void check_error(const std::string &what, const std::vector<std::string> &parts,
                 const std::function<void()> &action)
{
  try {
    action();
  } catch (std::exception &e) {
    for (const std::string &part : parts)
      check(std::string(e.what()).find(part) != std::string::npos,
            what + ": no '" + part + "' in: " + e.what());
    return;
  }
  check(false, what + ": no error");
}

std::vector<std::string> words(const std::string &line)
{
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

std::string scratch(const std::string &name)
{
  const char *folder = getenv("TMPDIR");
  return std::string(folder ? folder : "/tmp") + "/smax_" + std::to_string(getpid()) + "_" + name;
}

void spill(const std::string &path, const std::string &bytes)
{
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string slurp(const std::string &path)
{
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/* ----------------------------------------------------------------------
   cell
------------------------------------------------------------------------- */

// integer combinations of the old rows that give the new ones; far from integers: another lattice
bool same_lattice(const double old[3][3], const double h[3][3], const double rotation[3][3])
{
  double volume, bc[3];
  cross(old[1], old[2], bc);
  volume = dot(old[0], bc);
  for (int i = 0; i < 3; i++) {
    double back[3];    // new row in the old frame
    for (int k = 0; k < 3; k++)
      back[k] = h[i][0] * rotation[0][k] + h[i][1] * rotation[1][k] + h[i][2] * rotation[2][k];
    for (int j = 0; j < 3; j++) {
      double normal[3];
      cross(old[(j + 1) % 3], old[(j + 2) % 3], normal);
      const double s = dot(back, normal) / volume;
      if (std::fabs(s - std::round(s)) > 1e-7) return false;
    }
  }
  return true;
}

void check_reduction(const double cell[3][3])
{
  double h[3][3], q[3][3], bc[3];
  reduce_lattice(cell, h, q);
  cross(cell[1], cell[2], bc);
  const double volume = std::fabs(dot(cell[0], bc)), tiny = 1e-9;
  check(std::fabs(h[0][0] * h[1][1] * h[2][2] / volume - 1.0) < 1e-9, "volume of a reduced cell");
  check(std::fabs(h[1][0]) <= h[0][0] * (0.5 + tiny), "xy <= lx/2");
  check(std::fabs(h[2][0]) <= h[0][0] * (0.5 + tiny), "xz <= lx/2");
  check(std::fabs(h[2][1]) <= h[1][1] * (0.5 + tiny), "yz <= ly/2");
  check(h[0][1] == 0.0 && h[0][2] == 0.0 && h[1][2] == 0.0, "restricted form");
  check(same_lattice(cell, h, q), "reduced cell spans the same lattice");
  cross(q[0], q[1], bc);
  check(std::fabs(dot(bc, q[2]) - 1.0) < 1e-12, "proper rotation");
  // a is a shortest vector of the lattice, b the shortest across it
  for (int i = -3; i <= 3; i++)
    for (int j = -3; j <= 3; j++)
      for (int k = -3; k <= 3; k++) {
        if (i == 0 && j == 0 && k == 0) continue;
        double v[3];
        for (int d = 0; d < 3; d++) v[d] = i * h[0][d] + j * h[1][d] + k * h[2][d];
        const double length = dot(v, v) * (1.0 + tiny);
        check(length >= dot(h[0], h[0]), "a is shortest");
        if (j || k) check(length >= dot(h[1], h[1]), "b is next");
      }
}

void test_cell()
{
  Rng rng(1, 1);
  for (int n = 0; n < 10000; n++) {
    double cell[3][3];
    for (auto &row : cell)
      for (double &v : row) v = rng.uniform(-5.0, 5.0);
    double bc[3];
    cross(cell[1], cell[2], bc);
    if (std::fabs(dot(cell[0], bc)) < 0.1) continue;    // too flat to tell rounding from an error
    // a skewed choice of the same lattice
    const int from = rng.below(3), to = (from + 1 + rng.below(2)) % 3;
    const double times = rng.below(200) - 100;
    for (int k = 0; k < 3; k++) cell[to][k] += times * cell[from][k];
    check_reduction(cell);
  }
  const double simple[][3][3] = {{{0, 0, 2}, {2, 0, 0}, {0, 2, 0}},
                                 {{0, 1, 1}, {1, 0, 1}, {1, 1, 0}},
                                 {{-1, 1, 1}, {1, -1, 1}, {1, 1, -1}},
                                 {{2, 0, 0}, {-1, std::sqrt(3.0), 0}, {0, 0, -5}},
                                 {{1, 0, 0}, {0.5, 100, 0}, {0.5, 50, 1e4}}};
  for (const auto &cell : simple) check_reduction(cell);
  double out[3][3], q[3][3];
  const double flat[3][3] = {{1, 0, 0}, {0, 1, 0}, {1, 1, 0}};
  const double nan[3][3] = {{NAN, 0, 0}, {0, 1, 0}, {1, 1, 0}};
  check_error("flat cell", {"volume"}, [&] { reduce_lattice(flat, out, q); });
  check_error("nan cell", {"finite"}, [&] { reduce_lattice(nan, out, q); });
}

/* ----------------------------------------------------------------------
   recipe
------------------------------------------------------------------------- */

Recipe recipe_of(const std::vector<std::string> &lines)
{
  Recipe recipe;
  for (const std::string &line : lines) {
    auto values = words(line);
    const std::string keyword = values[0];
    values.erase(values.begin());
    recipe.set(keyword, values);
  }
  return recipe;
}

bool equal(const Recipe &a, const Recipe &b)
{
  return std::equal(a.weight, a.weight + MAX_Z + 1, b.weight) &&
         std::equal(a.radius, a.radius + MAX_Z + 1, b.radius) && a.nelements == b.nelements &&
         a.natoms == b.natoms && a.fixed == b.fixed && a.width == b.width && a.beta_a == b.beta_a &&
         a.beta_b == b.beta_b && a.volume_lo == b.volume_lo && a.volume_hi == b.volume_hi &&
         a.shapes == b.shapes && a.angle_lo == b.angle_lo && a.angle_hi == b.angle_hi;
}

void test_round_trip()
{
  const std::vector<std::vector<std::string>> recipes = {
      {},
      {"elements W Be U", "weights W 2.5", "radii W 1.3333333333333333 H 0.31"},
      {"weights H 0 U 1", "nelements 1-2 1 7 0.1", "natoms 12"},
      {"stoichiometry W 3 Be 1", "natoms 4-20 1 8 0", "radius_width 0", "radius_beta 1 2"},
      {"volume 1.1 1.1", "shapes 1 1 3", "angles 90 90"}};
  for (const auto &lines : recipes) {
    const Recipe one = recipe_of(lines);
    const std::string path = scratch("recipe");
    spill(path, one.describe());
    Recipe two;
    two.read(path);
    check(equal(one, two), "describe() and read() round trip:\n" + one.describe());
    unlink(path.c_str());
  }
}

void test_recipe_text()
{
  const std::string path = scratch("recipe");
  spill(path,
        "# YAML\n\nelements: [H, 'C', \"O\"]  # three\nweights: {H: 10, C: 5}\nnatoms {4-6: 1}\r\n"
        "shapes: [[1, 1, 1], [2, 1, 1]]");
  Recipe r;
  r.read(path);
  check(r.weight[6] == 5.0 && r.weight[8] == 5.0 && r.weight[7] == 0.0, "YAML flow weights");
  check(r.natoms == std::vector<double>({0, 0, 0, 1, 1, 1}), "YAML flow natoms");
  check(r.shapes.size() == 2 && r.shapes[1][0] == 2.0, "YAML flow shapes");
  spill(path, "natoms 4\nelemnts: H\n");
  check_error("typo", {path + ":2", "elemnts", "stoichiometry"}, [&] { r.read(path); });
  check(r.natoms.size() == 6, "a file with an error changes nothing");
  spill(path, "natoms 4\nnatoms 5\n");
  check_error("twice", {path + ":2", "natoms", "once"}, [&] { r.read(path); });
  unlink(path.c_str());
  check_error("no file", {path}, [&] { r.read(path); });
  check_error("folder", {"/tmp"}, [&] { r.read("/tmp"); });
}

void test_recipe_errors()
{
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"elements", "no values"},
      {"elements H Xx", "'Xx'"},
      {"weights H", "pairs"},
      {"weights H -1", "'-1'"},
      {"weights H nan", "'nan'"},
      {"radii H 0", "'0'"},
      {"radii Q 1", "'Q'"},
      {"nelements 1 0", "0"},
      {"nelements 0 1", "'0'"},
      {"nelements 6-3 1", "'6-3'"},
      {"nelements 3-97 1", "'3-97'"},
      {"nelements 5", "pairs"},
      {"natoms -5", "'-5'"},
      {"natoms 1e3", "'1e3'"},
      {"natoms 4- 1", "'4-'"},
      {"natoms 10 inf", "'inf'"},
      {"stoichiometry W 0", "'0'"},
      {"stoichiometry W 1.5", "'1.5'"},
      {"stoichiometry W 1 W 2", "twice"},
      {"stoichiometry W 9999 Be 2", "10000"},
      {"stoichiometry W", "pairs"},
      {"radius_width 1", "0.9"},
      {"radius_width", "1 number"},
      {"radius_beta 1", "2 numbers"},
      {"radius_beta 0 1", "'0'"},
      {"volume 3 1", "above"},
      {"volume -1 1", "'-1'"},
      {"volume 1 2 3", "2 numbers"},
      {"shapes 1 1", "triples"},
      {"shapes 1 1 x", "'x'"},
      {"angles 20 90", "'20'"},
      {"angles 90 60", "above"}};
  for (const auto &[line, part] : bad)
    check_error(line, {words(line)[0], part, "expected"}, [&line = line] { recipe_of({line}); });
  const std::vector<std::pair<std::vector<std::string>, std::string>> inconsistent = {
      {{"volume 0.2 3"}, "cannot hold"},
      {{"angles 119 120"}, "close"},
      {{"elements H C", "nelements 3 1"}, "at most the 2"},
      {{"natoms 2", "nelements 3 1"}, "room for the 3"},
      {{"elements H", "weights H 0", "nelements 1 1"}, "only weights of 0"}};
  for (const auto &[lines, part] : inconsistent)
    check_error(lines[0], {part, "expected"}, [&lines = lines] { recipe_of(lines).validate(); });
  Recipe().validate();
  recipe_of({"stoichiometry W 3 Be 1", "natoms 3"}).validate();
}

void check_candidate(const Recipe &recipe, const Candidate &c)
{
  const double tiny = 1e-9;
  check(!c.z.empty() && c.radius.size() == c.z.size() && c.x.size() == 3 * c.z.size(), "sizes");
  check(std::fabs(c.xy) <= c.lx * (0.5 + tiny) && std::fabs(c.xz) <= c.lx * (0.5 + tiny) &&
            std::fabs(c.yz) <= c.ly * (0.5 + tiny),
        "tilts of a candidate");
  double spheres = 0.0;
  for (size_t i = 0; i < c.z.size(); i++) {
    const double ratio = c.radius[i] / recipe.radius[c.z[i]];
    check(std::fabs(ratio - 1.0) <= recipe.width + tiny, "radius in its range");
    spheres += 4.0 / 3.0 * M_PI * std::pow(c.radius[i], 3);
    const double *x = &c.x[3 * i];
    const double s2 = x[2] / c.lz, s1 = (x[1] - s2 * c.yz) / c.ly,
                 s0 = (x[0] - s2 * c.xz - s1 * c.xy) / c.lx;
    for (double s : {s0, s1, s2}) check(s > -tiny && s < 1.0 + tiny, "atom inside the cell");
  }
  const double u = c.volume() / spheres;
  check(u > recipe.volume_lo * (1 - tiny) && u < recipe.volume_hi * (1 + tiny), "volume");
}

void test_candidates()
{
  const std::vector<std::vector<std::string>> recipes = {
      {},
      {"elements W Be", "natoms 1-3 1"},
      {"stoichiometry W 3 Be 1"},
      {"stoichiometry W 3 Be 1", "natoms 5"},
      {"radius_beta 0.001 0.001", "angles 30 150", "natoms 2"},
      {"radius_beta 1e6 0.5", "angles 118 150", "natoms 2"},
      {"nelements 20 1", "natoms 1-30 1"}};
  for (const auto &lines : recipes) {
    const Recipe recipe = recipe_of(lines);
    recipe.validate();
    for (int i = 0; i < 1000; i++) {
      const Candidate c = make_candidate(recipe, 7, i);
      check_candidate(recipe, c);
      check(make_candidate(recipe, 7, i).x == c.x, "pure function of (seed, index)");
      if (lines.size() && lines[0][0] == 's') check(c.z.size() % 4 == 0, "whole formula units");
      if (lines.size() && lines[0] == "nelements 20 1")
        check(c.z.size() >= 20, "room for elements");
    }
  }
  check(make_candidate(Recipe(), 7, 0).x != make_candidate(Recipe(), 8, 0).x, "seeds differ");
}

/* ----------------------------------------------------------------------
   npz
------------------------------------------------------------------------- */

Npz sample_npz()
{
  Npz z;
  z["matrix"] = NpzArray::of({1.5, -2.0, 1e-300, INFINITY, NAN, 0.1}, {2, 3});
  z["empty"] = NpzArray::of(std::vector<double>{}, {0, 55});
  z["pi"] = NpzArray::of(3.14);
  z["count"] = NpzArray::of(int64_t(-9007199254740993));
  z["text"] = NpzArray::of(std::string("\xc3\x85ngstr\xc3\xb6m \xf0\x9f\x98\x80"));
  z["none"] = NpzArray::of(std::string());
  return z;
}

void test_npz()
{
  const std::string path = scratch("a.npz");
  const Npz z = sample_npz();
  write_npz(path, z);
  const Npz back = read_npz(path);
  check(npz_bytes(back) == npz_bytes(z) && slurp(path) == npz_bytes(z), "npz round trip");
  check(npz_double(back, "pi", path) == 3.14, "npz_double");
  check(npz_int(back, "count", path) == -9007199254740993, "npz_int");
  check(npz_text(back, "text", path) == z.at("text").text, "npz_text");
  check(npz_doubles(back, "empty", {0, 55}, path).empty(), "npz_doubles");
  check_error("missing key", {path, "'x'"}, [&] { npz_double(back, "x", path); });
  check_error("kind", {path, "'pi'", "int64"}, [&] { npz_int(back, "pi", path); });
  check_error("array", {path, "'matrix'", "one float64"},
              [&] { npz_double(back, "matrix", path); });
  check_error("shape", {"(2, 3)", "(3, 2)"}, [&] { npz_doubles(back, "matrix", {3, 2}, path); });
  check_error("no folder", {"cannot be written", "No such"}, [&] { write_npz("/nowhere/a", z); });
  check_error("no file", {"No such"}, [&] { read_npz("/nowhere/a"); });
  check_error("folder", {"regular"}, [&] { read_npz("/tmp"); });
  check(crc32("123456789", 9) == 0xcbf43926u, "CRC-32 check value");
  unlink(path.c_str());
}

// damage in many ways: throw or succeed, nothing else (the sanitizers watch)
int survive(const std::string &whole, const std::string &path, int rounds,
            const std::function<void()> &action)
{
  Rng rng(5, 5);
  int refused = 0;
  for (int n = 0; n < rounds; n++) {
    std::string bytes = whole;
    for (int k = rng.below(4); k >= 0; k--) {
      const char nasty[] = {'\0', '\xff', '\x7f', '\n', ' ', '"', '9', '{', char(rng.below(256))};
      bytes[rng.below(int(bytes.size()))] = nasty[rng.below(9)];
    }
    if (rng.below(4) == 0) bytes.resize(rng.below(int(bytes.size())));
    unlink(path.c_str());    // a file written over is flushed to the disk at once
    spill(path, bytes);
    try {
      action();
    } catch (std::runtime_error &) {
      refused++;
    } catch (std::invalid_argument &) {
      refused++;
    }
  }
  unlink(path.c_str());
  return refused;
}

// sets the CRC right again, so that damage reaches the array parser
std::string with_right_crc(std::string bytes)
{
  for (size_t at = bytes.find("PK\x01\x02"); at != bytes.npos;
       at = bytes.find("PK\x01\x02", at + 1)) {
    uint32_t offset, size;
    uint16_t name, extra;
    if (at + 46 > bytes.size()) break;
    std::memcpy(&size, &bytes[at + 24], 4);
    std::memcpy(&offset, &bytes[at + 42], 4);
    if (size_t(offset) + 30 > bytes.size()) continue;
    std::memcpy(&name, &bytes[offset + 26], 2);
    std::memcpy(&extra, &bytes[offset + 28], 2);
    const size_t data = size_t(offset) + 30 + name + extra;
    if (data > bytes.size() || bytes.size() - data < size) continue;
    const uint32_t crc = crc32(&bytes[data], size);
    std::memcpy(&bytes[at + 16], &crc, 4);
  }
  return bytes;
}

void fuzz_npz(int rounds)
{
  const std::string path = scratch("fuzz.npz"), whole = npz_bytes(sample_npz());
  const int raw = survive(whole, path, rounds, [&] { read_npz(path); });
  const int deep = survive(whole, path, rounds, [&] {
    const std::string bytes = with_right_crc(slurp(path));
    unlink(path.c_str());
    spill(path, bytes);
    read_npz(path);
  });
  check(raw > rounds / 2 && deep > rounds / 4, "damaged npz are refused");
}

/* ----------------------------------------------------------------------
   extended XYZ
------------------------------------------------------------------------- */

std::vector<ExtxyzFrame> read_all(const std::string &path)
{
  ExtxyzReader reader(path);
  std::vector<ExtxyzFrame> frames(1);
  while (reader.next(frames.back())) frames.emplace_back();
  frames.pop_back();
  return frames;
}

std::vector<ExtxyzFrame> parse_all(const std::string &text)
{
  const std::string path = scratch("t.xyz");
  spill(path, text);
  try {
    auto frames = read_all(path);
    unlink(path.c_str());
    return frames;
  } catch (...) {
    unlink(path.c_str());
    throw;
  }
}

void test_extxyz_round_trip()
{
  std::string text;
  const Recipe recipe;
  for (int i = 0; i < 20; i++)
    text +=
        format_extxyz(make_candidate(recipe, 3, i), {{"index", std::to_string(i)}, {"S", "-1.5"}});
  const auto frames = parse_all(text);
  check(frames.size() == 20, "20 frames");
  for (int i = 0; i < int(frames.size()); i++) {
    const Candidate c = make_candidate(recipe, 3, i);
    const ExtxyzFrame &f = frames[i];
    check(f.z == c.z && f.x == c.x && f.radius == c.radius && f.pbc[2], "atoms read back");
    check(f.cell[0][0] == c.lx && f.cell[1][0] == c.xy && f.cell[2][1] == c.yz, "cell reads back");
    const Candidate again = to_candidate(f, recipe.radius);
    check(std::fabs(again.volume() / c.volume() - 1.0) < 1e-12, "volume of to_candidate()");
  }
}

void test_extxyz_dialects()
{
  const auto one = [](const std::string &text) { return parse_all(text).at(0); };
  ExtxyzFrame f = one("2\nit's a comment \"\nH 0 0 0 junk\n8 1 +2 -3e-1\n\n\n");
  check(f.z == std::vector<int>({1, 8}) && !f.has_cell && !f.pbc[0] && f.x[4] == 2.0, "plain");
  f = one("1\r\nconfig=\"a \\\"q\\\" b\" Lattice = {1 0 0 0 2 0 0 0 3} flag pbc='T F T' "
          "Properties=id:I:1:pos:R:3:f:R:3:ok:L:1:Z:I:1:r_eff:R:1 x=[[1, 2], [3, 4]]\r\n"
          "7 1 2 3 0 0 0 T 26 1.25\r\n");
  check(f.z[0] == 26 && f.x[2] == 3.0 && f.radius[0] == 1.25 && f.cell[2][2] == 3.0, "columns");
  check(f.pbc[0] && !f.pbc[1] && f.pbc[2], "pbc");
  f = one("1\nLattice=\"1 0 0 0 2 0 0 0 3\"\nFE 0 0 0");
  check(f.z[0] == 26 && f.pbc[0], "Lattice alone");
  check(parse_all("").empty() && parse_all("\n \n").empty(), "empty files");
}

void test_extxyz_errors()
{
  const std::string head = "Lattice=\"1 0 0 0 1 0 0 0 1\" Properties=species:S:1:pos:R:3\n";
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"1\nc\nH 0 0 0\n2\nc\nH 0 0 0\n", "frame 2"},
      {"1\nc\nH 0 0 0\n2\n", "frame 2"},
      {"x\n", "number of atoms"},
      {"0\n\n", "number of atoms"},
      {"99999999999\n\n", "number of atoms"},
      {"100000000\nc\nH 0 0 0\n", "after 1 atoms"},
      {"1\nc\nH 0 0\n", "columns"},
      {"1\nc\nH 0 0 nan\n", "'nan'"},
      {"1\nc\nH 0 0 1e999\n", "'1e999'"},
      {"1\nc\nXx 0 0 0\n", "'Xx'"},
      {"1\nc\n97 0 0 0\n", "'97'"},
      {"1\n" + head + "H 0 0 0 0\n", "5 columns"},
      {"1\nLattice=\"1 2 3\"\nH 0 0 0\n", "9 finite"},
      {"1\nLattice=\"1 0 0 0 1 0 0 0 1\nH 0 0 0\n", "does not close"},
      {"1\nProperties=species:S:1\nH\n", "pos:R:3"},
      {"1\nProperties=species:S:1:pos:R\nH 0 0 0\n", "name:type:count"},
      {"1\nProperties=species:S:1:pos:R:3:a:R:4294967299\nH 0 0 0\n", "name:type:count"},
      {"1\nProperties=species:S:1:pos:R:3:r_eff:R:1\nH 0 0 0 -1\n", "r_eff"},
      {"1\nLattice=\"1 0 0 0 1 0 0 0 1\" pbc=\"T X T\"\nH 0 0 0\n", "pbc"}};
  for (const auto &[text, part] : bad)
    check_error(text, {part, "expected", "line "}, [&text = text] { parse_all(text); });
  const std::string path = scratch("s.xyz");
  spill(path, "1\nc\nH 0 0 0\n2\nc\nH 0 0 0\n");
  ExtxyzReader reader(path);
  check(reader.skip() && reader.frames() == 1, "skip()");
  check_error("skip torn", {"frame 2"}, [&] { reader.skip(); });
  unlink(path.c_str());
}

void test_to_candidate()
{
  const Recipe recipe;
  ExtxyzFrame f;
  f.z = {8, 1};
  f.x = {100.0, 0, 0, 100.96, 0, 0};
  Candidate c = to_candidate(f, recipe.radius);
  const double vacuum = 6.0 * 0.63 + 0.1;
  check(std::fabs(c.volume() - (vacuum + 0.96) * vacuum * vacuum) < 1e-9, "molecule in a box");
  f.pbc[2] = true;
  check_error("no Lattice", {"Lattice"}, [&] { to_candidate(f, recipe.radius); });
  f.has_cell = true;
  f.cell[2][0] = f.cell[2][2] = 3.0;    // a wire along (1,0,1)
  c = to_candidate(f, recipe.radius);
  check(std::fabs(c.lx * c.ly * c.lz / std::sqrt(18.0) / vacuum -
                  (vacuum + 0.96 / std::sqrt(2.0))) < 1e-9,
        "wire");
  f.pbc[1] = true;
  check_error("flat slab", {"volume"}, [&] { to_candidate(f, recipe.radius); });
  f.cell[1][1] = -4.0;
  c = to_candidate(f, recipe.radius);
  check(std::fabs(c.volume() / (std::sqrt(18.0) * 4.0) - (vacuum + 0.96 / std::sqrt(2.0))) < 1e-9,
        "slab");
  f.radius = {2.0, 0.0};
  check_error("radius", {"atom 2"}, [&] { to_candidate(f, recipe.radius); });
  f.z.clear();
  check_error("no atoms", {"0 atoms"}, [&] { to_candidate(f, recipe.radius); });
}

void fuzz_extxyz(int rounds)
{
  std::string text = "2\nplain 'x\nH 0 0 0\nO 1 1 1\n";
  text += "1\na=\"q \\\" {\" Lattice={1 0 0 0 2 0 0 0 3} pbc=[T, F, T] "
          "Properties=id:I:1:pos:R:3:Z:I:1:r_eff:R:1\n7 1 2 3 26 1.25\n";
  text += format_extxyz(make_candidate(Recipe(), 3, 1), {{"k", "\"v w\""}});
  const std::string path = scratch("fuzz.xyz");
  const Recipe recipe;
  const int refused = survive(text, path, rounds, [&] {
    for (const ExtxyzFrame &frame : read_all(path)) to_candidate(frame, recipe.radius);
  });
  check(refused > rounds / 4 && refused < rounds, "damaged xyz are refused");
}

void fuzz_recipe(int rounds)
{
  const std::string path = scratch("fuzz.recipe");
  const std::string text = recipe_of({"stoichiometry W 3 Be 1", "radii W 1.3"}).describe();
  survive(text, path, rounds, [&] {
    Recipe recipe;
    recipe.read(path);
    recipe.validate();
    make_candidate(recipe, 1, 1);
  });
}

/* ----------------------------------------------------------------------
   subcommands
------------------------------------------------------------------------- */

template <typename T> std::string json(const T *v, size_t n)
{
  std::string out = "[";
  for (size_t i = 0; i < n; i++) out += (i ? "," : "") + shortest(double(v[i]));
  return out + "]";
}

std::string json(const Candidate &c)
{
  const double cell[6] = {c.lx, c.ly, c.lz, c.xy, c.xz, c.yz};
  return "{\"z\":" + json(c.z.data(), c.z.size()) +
         ",\"radius\":" + json(c.radius.data(), c.radius.size()) + ",\"cell\":" + json(cell, 6) +
         ",\"x\":" + json(c.x.data(), c.x.size()) + "}";
}

// candidates SEED COUNT [keyword=values...]
void print_candidates(const std::vector<std::string> &args)
{
  Recipe recipe;
  for (size_t i = 2; i < args.size(); i++) {
    const size_t equals = args[i].find('=');
    recipe.set(args[i].substr(0, equals), words(args[i].substr(equals + 1)));
  }
  recipe.validate();
  for (uint64_t i = 0; i < std::stoull(args.at(1)); i++)
    std::cout << json(make_candidate(recipe, std::stoull(args[0]), i)) << "\n";
}

// recipe FILE
void print_recipe(const std::vector<std::string> &args)
{
  Recipe recipe;
  recipe.read(args.at(0));
  recipe.validate();
  std::cout << recipe.describe();
}

void copy_npz(const std::vector<std::string> &args)
{
  write_npz(args.at(1), read_npz(args.at(0)));
}

// extxyz-copy IN OUT: frames as the features see them
void copy_extxyz(const std::vector<std::string> &args)
{
  const Recipe recipe;
  std::ofstream out(args.at(1));
  for (const ExtxyzFrame &frame : read_all(args.at(0)))
    out << format_extxyz(to_candidate(frame, recipe.radius), {});
}

// extxyz-dump IN: frames as they are in the file
void dump_extxyz(const std::vector<std::string> &args)
{
  for (const ExtxyzFrame &f : read_all(args.at(0)))
    std::cout << "{\"z\":" << json(f.z.data(), f.z.size())
              << ",\"x\":" << json(f.x.data(), f.x.size())
              << ",\"radius\":" << json(f.radius.data(), f.radius.size())
              << ",\"cell\":" << json(&f.cell[0][0], 9) << ",\"pbc\":" << json(f.pbc, 3)
              << ",\"has_cell\":" << f.has_cell << "}\n";
}

// reduce: cells of 9 numbers from stdin
void reduce_cells(const std::vector<std::string> &)
{
  double cell[3][3], h[3][3], q[3][3];
  for (;;) {
    for (auto &row : cell)
      for (double &v : row) std::cin >> v;
    if (!std::cin) return;
    reduce_lattice(cell, h, q);
    std::cout << "[" << json(&h[0][0], 9) << "," << json(&q[0][0], 9) << "]\n";
  }
}

void fuzz(const std::vector<std::string> &args)
{
  const int rounds = std::stoi(args.at(0));
  fuzz_npz(rounds);
  fuzz_extxyz(rounds);
  fuzz_recipe(rounds);
  if (failures) throw std::runtime_error("fuzzing failed");
}

const std::map<std::string, void (*)(const std::vector<std::string> &)> COMMANDS = {
    {"candidates", print_candidates},
    {"recipe", print_recipe},
    {"npz-copy", copy_npz},
    {"extxyz-copy", copy_extxyz},
    {"extxyz-dump", dump_extxyz},
    {"reduce", reduce_cells},
    {"fuzz", fuzz}};

void run_tests()
{
  test_cell();
  test_round_trip();
  test_recipe_text();
  test_recipe_errors();
  test_candidates();
  test_npz();
  test_extxyz_round_trip();
  test_extxyz_dialects();
  test_extxyz_errors();
  test_to_candidate();
  fuzz_npz(2000);
  fuzz_extxyz(2000);
  fuzz_recipe(2000);
}

}    // namespace

int main(int argc, char **argv)
{
  try {
    if (argc == 1) {
      run_tests();
      std::cerr << (failures ? "failed\n" : "passed\n");
      return failures ? 1 : 0;
    }
    const auto command = COMMANDS.find(argv[1]);
    if (command == COMMANDS.end())
      throw std::runtime_error(std::string("no subcommand ") + argv[1]);
    command->second(std::vector<std::string>(argv + 2, argv + argc));
    return 0;
  } catch (std::exception &e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
