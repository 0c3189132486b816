#include "committee.h"

#include "extxyz.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <set>
#include <stdexcept>

using namespace smax;

namespace {

double now()
{
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

template <typename... Args> std::string print_to_string(const char *format, Args... args)
{
  char buffer[512];
  snprintf(buffer, sizeof(buffer), format, args...);
  return buffer;
}

std::string elements_of(const Candidate &c)
{
  std::set<int> distinct(c.z.begin(), c.z.end());
  std::string text;
  for (int z : distinct) text += (text.empty() ? "" : "-") + std::string(element_symbol(z));
  return text;
}

std::string table_row(const Result &r, double S, double dS, const std::string &verdict)
{
  const size_t n = r.atoms.z.size();
  return std::to_string(r.index) + "," + std::to_string(n) + "," + elements_of(r.atoms) + "," +
         shortest(r.atoms.volume() / double(n)) + "," + shortest(S) + "," + shortest(dS) + "," +
         std::to_string(r.evaluations) + "," + print_to_string("%.4f", r.seconds) + "," + verdict +
         "\n";
}

}    // namespace

/* ---------------------------------------------------------------------- */

Message Result::pack() const
{
  const size_t n = atoms.z.size();
  Message m = {double(index),     double(evaluations),
               seconds,           ratio,
               distance,          double(n),
               double(moments.n), atoms.lx,
               atoms.ly,          atoms.lz,
               atoms.xy,          atoms.xz,
               atoms.yz};
  m.insert(m.end(), atoms.z.begin(), atoms.z.end());
  m.insert(m.end(), atoms.radius.begin(), atoms.radius.end());
  m.insert(m.end(), atoms.x.begin(), atoms.x.end());
  const size_t at = m.size();
  m.resize(at + Moments::packed_size(moments.n));
  moments.pack(&m[at]);
  return m;
}

Result Result::unpack(const Message &m)
{
  Result r;
  auto next = m.begin();
  r.index = int64_t(*next++);
  r.evaluations = int64_t(*next++);
  r.seconds = *next++;
  r.ratio = *next++;
  r.distance = *next++;
  const auto n = long(*next++);
  const int nfeatures = int(*next++);
  for (double *d : {&r.atoms.lx, &r.atoms.ly, &r.atoms.lz, &r.atoms.xy, &r.atoms.xz, &r.atoms.yz})
    *d = *next++;
  r.atoms.z.assign(next, next + n);
  next += n;
  r.atoms.radius.assign(next, next + n);
  next += n;
  r.atoms.x.assign(next, next + 3 * n);
  next += 3 * n;
  r.moments = Moments::unpack(nfeatures, &*next);
  return r;
}

std::string smax::forbidden(const Result &r, const Acceptance &accept)
{
  for (double m : r.moments.mean)
    if (!std::isfinite(m)) return "features are not finite";
  if (!(r.distance >= accept.distance))
    return print_to_string("closest pair %.3f A under %.3f", r.distance, accept.distance);
  if (!(r.ratio >= accept.ratio))
    return print_to_string("closest pair %.3f (ri+rj) under %.3f", r.ratio, accept.ratio);
  return "";
}

std::vector<std::pair<std::string, std::string>> smax::frame_info(const Result &r, uint64_t seed,
                                                                  double S, double dS, Mode mode)
{
  return {{"index", std::to_string(r.index)},
          {"seed", std::to_string(seed)},
          {"dS", shortest(dS)},
          {"S", shortest(S)},
          {"n_eval", std::to_string(r.evaluations)},
          {"d_min", shortest(r.ratio)},
          {"mode", mode_name(mode)}};
}

Message smax::pack_decision(const Decision &d)
{
  Message m = {0.0, double(d.index)};
  m.insert(m.end(), d.delta.begin(), d.delta.end());
  return m;
}

Decision smax::unpack_decision(const Message &m)
{
  return {int64_t(m[1]), {m.begin() + 2, m.end()}};
}

Message smax::stop_message()
{
  return {1.0, -1.0};
}
bool smax::is_stop(const Message &m)
{
  return m[0] != 0.0;
}

std::string smax::table_heading()
{
  return print_to_string("%9s %6s %5s %9s %11s %10s %6s %8s  %s\n", "index", "atoms", "elem",
                         "vol/atom", "S", "dS", "evals", "seconds", "verdict");
}

/* ---------------------------------------------------------------------- */

Committee::Committee(Dataset d, RunFiles *f, const GeneratorOptions &o, int p, Print pr,
                     Announce an) :
    head(std::move(d)), files(f), opt(o), partitions(p), print(std::move(pr)),
    announce(std::move(an)), start_frames(head.state.frames), born(now()),
    seconds_before(head.state.seconds)
{
  // the window makes the moments file larger: then write it for several decisions at once
  const int64_t width =
      int64_t(partitions) * opt.lag * int64_t(Moments::packed_size(head.nfeatures()));
  checkpoint_every = opt.reproducible ? int(1 + width / 50000) : 1;
  done = head.state.frames >= opt.nconf;
  if (done) announce(stop_message());
}

void Committee::take(const Result &r)
{
  if (done) return;
  if (!opt.reproducible) {
    decide(r);
    return;
  }
  waiting.emplace(r.index, r);
  while (!done) {
    auto first = waiting.find(head.state.next_index);
    if (first == waiting.end()) return;
    decide(first->second);
    waiting.erase(first);
  }
}

void Committee::decide(const Result &r)
{
  RunState &s = head.state;
  double dS = 0.0;
  std::string verdict = forbidden(r, opt.accept);
  const bool close = !verdict.empty();
  if (!close) {
    EntropyObjective &objective = head.objective();
    try {
      dS = objective.delta(r.moments);
      // one vector alone has no spread: the first configuration starts the dataset
      if (!(dS > 0.0) && head.moments.count > 0) verdict = "entropy would fall";
    } catch (std::runtime_error &) {
      verdict = "entropy of the dataset with it cannot be computed";
    }
  }
  const bool accepted = verdict.empty();
  s.tried++;
  tried_now++;
  s.evaluations += r.evaluations;
  s.atom_evaluations += r.evaluations * int64_t(r.atoms.z.size());
  s.next_index = std::max(s.next_index, r.index + 1);

  Decision decision{r.index, {}};
  if (accepted) {
    decision.delta.resize(Moments::packed_size(r.moments.n));
    r.moments.pack(decision.delta.data());
    head.add(r.moments);
    s.frames++;
    accepted_now++;
  } else if (close)
    s.rejected_distance++;
  else
    s.rejected_entropy++;
  remember(decision);

  const double S = head.objective().entropy();
  const double start = now();
  const std::string why = accepted ? "accepted" : "rejected: " + verdict;
  if (files) {
    if (accepted)
      files->append_frame(format_extxyz(r.atoms, frame_info(r, s.seed, S, dS, head.mode)));
    files->append_row(table_row(r, S, dS, why));
  }
  unprinted += row(r, S, dS, why);
  done = s.frames >= opt.nconf || s.tried >= opt.max_tries;
  if (++since_checkpoint >= checkpoint_every || done) checkpoint();
  io += now() - start;

  announce(pack_decision(decision));
  if (done) announce(stop_message());
}

// Keeps what a restart needs to give a lagging partition the dataset it would have seen.

void Committee::remember(const Decision &d)
{
  if (!opt.reproducible) {
    head.trail = head.moments;
    return;
  }
  head.window.push_back(d);
  while (!head.window.empty() &&
         head.window.front().index <= head.state.next_index - int64_t(partitions) * opt.lag) {
    const Decision &old = head.window.front();
    if (!old.delta.empty()) head.trail.merge(Moments::unpack(head.trail.n, old.delta.data()));
    head.window.pop_front();
  }
}

void Committee::checkpoint()
{
  head.state.seconds = seconds_before + now() - born;
  if (files) files->checkpoint(head);
  print(unprinted);
  unprinted.clear();
  since_checkpoint = 0;
}

void Committee::close()
{
  const double start = now();
  checkpoint();
  io += now() - start;
}

std::string Committee::row(const Result &r, double S, double dS, const std::string &verdict) const
{
  const std::set<int> distinct(r.atoms.z.begin(), r.atoms.z.end());
  return print_to_string("%9lld %6zu %5zu %9.2f %11.5f %10.3e %6lld %8.3f  %s\n",
                         (long long) r.index, r.atoms.z.size(), distinct.size(),
                         r.atoms.volume() / double(r.atoms.z.size()), S, dS,
                         (long long) r.evaluations, r.seconds, verdict.c_str());
}
