#include "dataset.h"

#include "npz.h"

#include <cmath>
#include <stdexcept>

using namespace smax;

namespace {

constexpr const char *FORMAT = "smax-moments";
constexpr int64_t VERSION = 1;

std::vector<size_t> square(int n)
{
  return {size_t(n), size_t(n)};
}

void put_moments(Npz &z, const std::string &prefix, const Moments &m)
{
  const auto n = size_t(m.n);
  z[prefix + "count"] = NpzArray::of(m.count);
  z[prefix + "mean"] = NpzArray::of(m.mean, {n});
  z[prefix + "scatter"] = NpzArray::of(m.scatter, {n, n});
}

Moments get_moments(const Npz &z, const std::string &prefix, int n, const std::string &path)
{
  Moments m(n);
  m.count = npz_int(z, prefix + "count", path);
  m.mean = npz_doubles(z, prefix + "mean", {size_t(n)}, path);
  m.scatter = npz_doubles(z, prefix + "scatter", square(n), path);
  if (m.count < 0)
    throw std::runtime_error(path + ": " + prefix + "count is " + std::to_string(m.count) +
                             ", expected 0 or more");
  for (const auto *v : {&m.mean, &m.scatter})
    for (double d : *v)
      if (!std::isfinite(d))
        throw std::runtime_error(path + ": " + prefix + "mean or scatter has a value that is not " +
                                 "finite");
  return m;
}

struct IntField {
  const char *key;
  int64_t RunState::*field;
};

constexpr IntField FIELDS[] = {
    {"next_index", &RunState::next_index},
    {"frames", &RunState::frames},
    {"tried", &RunState::tried},
    {"rejected_entropy", &RunState::rejected_entropy},
    {"rejected_distance", &RunState::rejected_distance},
    {"evaluations", &RunState::evaluations},
    {"atom_evaluations", &RunState::atom_evaluations},
    {"file_bytes", &RunState::file_bytes},
    {"table_bytes", &RunState::table_bytes},
    {"partitions", &RunState::partitions},
    {"lag", &RunState::lag},
};

void put_window(Npz &z, const std::deque<Decision> &window, int n)
{
  const size_t width = Moments::packed_size(n);
  std::vector<double> index, accepted, delta;
  for (const Decision &d : window) {
    index.push_back(double(d.index));
    accepted.push_back(d.delta.empty() ? 0.0 : 1.0);
    delta.insert(delta.end(), d.delta.begin(), d.delta.end());
  }
  z["window_index"] = NpzArray::of(index, {index.size()});
  z["window_accepted"] = NpzArray::of(accepted, {accepted.size()});
  z["window_delta"] = NpzArray::of(delta, {delta.size() / width, width});
}

std::deque<Decision> get_window(const Npz &z, int n, const std::string &path)
{
  std::deque<Decision> window;
  auto it = z.find("window_index");
  if (it == z.end()) return window;
  const size_t rows = it->second.f.size(), width = Moments::packed_size(n);
  const auto &accepted = npz_doubles(z, "window_accepted", {rows}, path);
  size_t naccepted = 0;
  for (double a : accepted) naccepted += (a != 0.0);
  const auto &delta = npz_doubles(z, "window_delta", {naccepted, width}, path);
  auto next = delta.begin();
  for (size_t i = 0; i < rows; i++) {
    Decision d;
    d.index = int64_t(it->second.f[i]);
    if (accepted[i] != 0.0) {
      d.delta.assign(next, next + width);
      next += width;
    }
    window.push_back(d);
  }
  return window;
}

}    // namespace

const char *smax::mode_name(Mode mode)
{
  return mode == Mode::Atom ? "atom" : "config";
}

/* ---------------------------------------------------------------------- */

void Dataset::set_reference(const Moments &random)
{
  std::vector<double> v(random.n);
  for (int i = 0; i < random.n; i++) {
    v[i] = random.count ? random.scatter[size_t(i) * random.n + i] / double(random.count) : 0.0;
    if (!(v[i] > 0.0) || !std::isfinite(v[i]))
      throw std::runtime_error("variance of feature " + std::to_string(i + 1) + " over " +
                               std::to_string(random.count) + " reference vectors is " +
                               std::to_string(v[i]) +
                               ", expected a positive number: use more cells");
  }
  reference = random;
  variance = v;
  factored.clear();
}

EntropyObjective &Dataset::objective()
{
  if (factored.empty()) {
    factored.emplace_back(nfeatures());
    factored[0].set_dataset(moments, variance.data(), eps);
  }
  return factored[0];
}

void Dataset::add(const Moments &delta)
{
  if (moments.n == 0) moments = Moments(nfeatures());
  moments.merge(delta);
  factored.clear();
}

std::string Dataset::incompatible(const Dataset &o) const
{
  auto differ = [](const std::string &what, auto a, auto b) {
    return what + " is " + std::to_string(b) + ", expected " + std::to_string(a);
  };
  const BispectrumParams &p = descriptor.snap, &q = o.descriptor.snap;
  if (mode != o.mode)
    return std::string("mode is ") + mode_name(o.mode) + ", expected " + mode_name(mode);
  if (p.twojmax != q.twojmax) return differ("twojmax", p.twojmax, q.twojmax);
  if (p.rfac0 != q.rfac0) return differ("rfac0", p.rfac0, q.rfac0);
  if (p.rmin0 != q.rmin0) return differ("rmin0", p.rmin0, q.rmin0);
  if (p.bzeroflag != q.bzeroflag) return differ("bzeroflag", int(p.bzeroflag), int(q.bzeroflag));
  if (p.switchflag != q.switchflag)
    return differ("switchflag", int(p.switchflag), int(q.switchflag));
  if (descriptor.rcutfac != o.descriptor.rcutfac)
    return differ("rcutfac", descriptor.rcutfac, o.descriptor.rcutfac);
  return "";
}

/* ---------------------------------------------------------------------- */

void Dataset::save(const std::string &path) const
{
  write_whole_file(path, bytes());
}

std::string Dataset::bytes() const
{
  const int n = nfeatures();
  Npz z;
  z["format"] = NpzArray::of(std::string(FORMAT));
  z["version"] = NpzArray::of(VERSION);
  put_moments(z, "", moments.n ? moments : Moments(n));
  put_moments(z, "ref_", reference.n ? reference : Moments(n));
  z["variance"] = NpzArray::of(variance, {variance.size()});
  z["eps"] = NpzArray::of(eps);
  z["mode"] = NpzArray::of(std::string(mode_name(mode)));
  z["twojmax"] = NpzArray::of(int64_t(descriptor.snap.twojmax));
  z["rfac0"] = NpzArray::of(descriptor.snap.rfac0);
  z["rmin0"] = NpzArray::of(descriptor.snap.rmin0);
  z["bzeroflag"] = NpzArray::of(int64_t(descriptor.snap.bzeroflag));
  z["switchflag"] = NpzArray::of(int64_t(descriptor.snap.switchflag));
  z["rcutfac"] = NpzArray::of(descriptor.rcutfac);
  for (const IntField &f : FIELDS) z[f.key] = NpzArray::of(state.*f.field);
  z["seed"] = NpzArray::of(int64_t(state.seed));
  z["file_crc"] = NpzArray::of(int64_t(state.file_crc));
  z["seconds"] = NpzArray::of(state.seconds);
  put_moments(z, "prior_", prior.n ? prior : Moments(n));
  if (!window.empty()) {
    put_moments(z, "trail_", trail.n ? trail : Moments(n));
    put_window(z, window, n);
  }
  return npz_bytes(z);
}

Dataset Dataset::load(const std::string &path)
{
  return parse(read_whole_file(path), path);
}

Dataset Dataset::parse(const std::string &bytes, const std::string &path)
{
  const Npz z = parse_npz(bytes, path);
  if (!z.count("format") || npz_text(z, "format", path) != FORMAT)
    throw std::runtime_error(path + ": not a moments file (key 'format' is not '" + FORMAT + "')");
  const int64_t version = npz_int(z, "version", path);
  if (version != VERSION)
    throw std::runtime_error(path + ": version " + std::to_string(version) + ", expected " +
                             std::to_string(VERSION));
  Dataset d;
  const int64_t twojmax = npz_int(z, "twojmax", path);
  if (twojmax < 2 || twojmax > 14)
    throw std::runtime_error(path + ": twojmax is " + std::to_string(twojmax) + ", expected 2..14");
  d.descriptor.snap.twojmax = int(twojmax);
  d.descriptor.snap.rfac0 = npz_double(z, "rfac0", path);
  d.descriptor.snap.rmin0 = npz_double(z, "rmin0", path);
  d.descriptor.snap.bzeroflag = npz_int(z, "bzeroflag", path) != 0;
  d.descriptor.snap.switchflag = npz_int(z, "switchflag", path) != 0;
  d.descriptor.rcutfac = npz_double(z, "rcutfac", path);
  const std::string &mode = npz_text(z, "mode", path);
  if (mode != "atom" && mode != "config")
    throw std::runtime_error(path + ": mode is '" + mode + "', expected atom or config");
  d.mode = mode == "atom" ? Mode::Atom : Mode::Config;
  d.eps = npz_double(z, "eps", path);
  const int n = d.nfeatures();
  d.moments = get_moments(z, "", n, path);
  d.reference = get_moments(z, "ref_", n, path);
  if (d.reference.count > 0) d.variance = npz_doubles(z, "variance", {size_t(n)}, path);
  for (const IntField &f : FIELDS) d.state.*f.field = npz_int(z, f.key, path);
  d.state.seed = uint64_t(npz_int(z, "seed", path));
  d.state.file_crc = uint32_t(npz_int(z, "file_crc", path));
  d.state.seconds = npz_double(z, "seconds", path);
  d.prior = get_moments(z, "prior_", n, path);
  d.window = get_window(z, n, path);
  d.trail = d.window.empty() ? d.moments : get_moments(z, "trail_", n, path);
  return d;
}
