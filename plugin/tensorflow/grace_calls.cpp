#include "grace_calls.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

using namespace smax;

namespace {

constexpr const char *ENERGY = "atomic_energy", *PAIR_FORCE = "z_pair_f";
const std::string GRADIENT = "grad_";
constexpr size_t WIDEST = 1 << 20;    // values of one atom's message
const std::vector<std::string> LAYERS = {"forward_layer_1", "backward_layer_2", "backward_layer_1"};

void scalar(tf::Call &call, const char *name, int64_t value)
{
  if (call.wants(name)) *call.input(name, {}).integers() = int32_t(value);
}

// values, then fill up to n
void vector(tf::Call &call, const char *name, const std::vector<int32_t> &values, int64_t n,
            int32_t fill)
{
  if (!call.wants(name)) return;
  int32_t *to = call.input(name, {n}).integers();
  std::fill(std::copy(values.begin(), values.end(), to), to + n, fill);
}

// More centres bring more bonds and neighbours.
double stretch(const BondBatch &batch, int64_t padded_centres)
{
  return double(padded_centres) / double(batch.centres() + 1);
}

size_t width_of(const std::string &name, const TensorSpec &spec)
{
  size_t width = 1;
  for (size_t k = 1; k < spec.dims.size(); k++) {
    if (spec.dims[k] < 1 || spec.dims[k] > int64_t(WIDEST / width))
      throw std::runtime_error("message " + name + " of the model has no fixed shape, or is wide");
    width *= size_t(spec.dims[k]);
  }
  return width;
}

// The later layers must take what the first gives.
void check_width(const Signature &layer, const std::string &input, size_t width)
{
  const auto it = layer.inputs.find(input);
  if (it != layer.inputs.end() && width_of(input, it->second) != width)
    throw std::runtime_error("message " + input +
                             " of the model has another shape in another layer");
}

std::vector<int64_t> padded_dims(const TensorSpec &spec, int64_t atoms)
{
  std::vector<int64_t> dims = spec.dims;
  if (dims.empty()) throw std::runtime_error("a message of the model is a scalar");
  dims[0] = atoms;
  return dims;
}

}    // namespace

void BondBatch::clear()
{
  for (auto *v : {&mu, &far_mu, &ind_i, &ind_j, &mu_i, &mu_j}) v->clear();
  r.clear();
}

GraceCalls::GraceCalls(const std::string &folder, const std::map<std::string, bool> &far,
                       double cutoff, int threads) :
    session(std::make_shared<tf::Session>(folder, std::vector<std::string>{"compute"}, threads)),
    bond_room(0.03, 2.0), beyond(cutoff), version(tf::api().Version())
{
  compute =
      std::make_unique<tf::Call>(session, "compute", std::vector<std::string>{ENERGY, PAIR_FORCE});
  open_layers(far);
}

void GraceCalls::let_vary(bool centres_vary)
{
  if (centres_vary == varying) return;
  varying = centres_vary;
  centre_room = varying ? Capacity(0.02, 1.0) : Capacity();
}

void GraceCalls::require_layers() const
{
  try {
    for (const auto &name : LAYERS) session->signature(name);
  } catch (const std::runtime_error &e) {
    throw std::runtime_error("this model passes messages between atoms, which on several ranks, or "
                             "with chunks, needs signatures of its layers; export it with them, or "
                             "use one rank without chunks: " +
                             std::string(e.what()));
  }
}

void GraceCalls::open_layers(const std::map<std::string, bool> &far)
{
  if (!std::all_of(LAYERS.begin(), LAYERS.end(), [&](auto &l) { return session->has(l); })) return;
  std::vector<std::string> names, gradients{ENERGY, GRADIENT + "bond_vector"};
  for (const auto &out : session->signature(LAYERS[0]).outputs) {
    const auto it = far.find(out.first);
    layer_messages.push_back(
        {out.first, width_of(out.first, out.second), it == far.end() || it->second});
    names.push_back(out.first);
    gradients.push_back(GRADIENT + out.first);
  }
  forward1 = std::make_unique<tf::Call>(session, LAYERS[0], names);
  backward2 = std::make_unique<tf::Call>(session, LAYERS[1], gradients);
  backward1 = std::make_unique<tf::Call>(session, LAYERS[2],
                                         std::vector<std::string>{GRADIENT + "bond_vector"});
  for (const Message &m : layer_messages) {
    check_width(session->signature(LAYERS[1]), m.name, m.width);
    check_width(session->signature(LAYERS[2]), GRADIENT + m.name, m.width);
  }
}

double GraceCalls::seconds() const
{
  double sum = 0.0;
  for (const auto *call : {&compute, &forward1, &backward2, &backward1})
    if (*call) sum += (*call)->seconds();
  return sum;
}

double GraceCalls::compilations() const
{
  double sum = 0.0;
  for (const auto *call : {&compute, &forward1, &backward2, &backward1})
    if (*call) sum += double((*call)->sizes());
  return sum;
}

// One fake atom at least, the last of the centres, bears the fake bonds.
int64_t GraceCalls::fill(tf::Call &call, const BondBatch &batch, bool layers)
{
  const int64_t centres = centre_room.fit(int64_t(batch.centres()) + 1);
  scalar(call, "batch_tot_nat", centres);
  scalar(call, "batch_tot_nat_real", int64_t(batch.centres()));
  if (layers) {
    const int64_t all =
        centres + far_room.fit(int64_t(batch.far_mu.size()), stretch(batch, centres));
    vector(call, "atomic_mu_i_local", batch.mu, centres, 0);
    if (call.wants("atomic_mu_i")) {
      std::vector<int32_t> mu = batch.mu;
      mu.resize(size_t(centres), 0);
      mu.insert(mu.end(), batch.far_mu.begin(), batch.far_mu.end());
      vector(call, "atomic_mu_i", mu, all, 0);
    }
  } else {
    vector(call, "atomic_mu_i", batch.mu, centres, 0);
  }
  fill_bonds(call, batch, centres);
  return centres;
}

void GraceCalls::fill_bonds(tf::Call &call, const BondBatch &batch, int64_t padded_centres)
{
  const int64_t n = bond_room.fit(int64_t(batch.bonds()), stretch(batch, padded_centres));
  const auto fake = int32_t(padded_centres - 1);
  vector(call, "ind_i", batch.ind_i, n, fake);
  vector(call, "mu_i", batch.mu_i, n, 0);
  vector(call, "mu_j", batch.mu_j, n, 0);
  if (call.wants("ind_j")) {
    int32_t *to = call.input("ind_j", {n}).integers();
    const auto centres = int32_t(batch.centres());
    const auto shift = int32_t(padded_centres) - centres;
    for (const int32_t j : batch.ind_j) *to++ = j < 0 ? fake : j < centres ? j : j + shift;
    std::fill(to, to + (n - int64_t(batch.bonds())), fake);
  }
  tf::Tensor &r = call.input("bond_vector", {n, 3});
  r.write(batch.r.data(), batch.r.size(), 0);
  const std::vector<double> far(size_t(3 * n) - batch.r.size(), beyond);
  r.write(far.data(), far.size(), batch.r.size());
}

void GraceCalls::whole(const BondBatch &batch, std::vector<double> &energy,
                       std::vector<double> &force)
{
  fill(*compute, batch, false);
  compute->run();
  energy.resize(batch.centres());
  force.resize(3 * batch.bonds());
  compute->output(ENERGY).read(energy.data(), energy.size(), 0);
  compute->output(PAIR_FORCE).read(force.data(), force.size(), 0);
}

bool GraceCalls::passes_messages(const BondBatch &batch)
{
  std::vector<double> force, energy[2];
  BondBatch other = batch;
  for (int trial = 0; trial < 2; trial++) {
    // each neighbour is the centre itself, or the fake atom
    if (trial == 0)
      other.ind_j = batch.ind_i;
    else
      other.ind_j.assign(batch.bonds(), -1);
    whole(other, energy[trial], force);
  }
  double difference = 0.0, size = 0.0;
  for (size_t k = 0; k < batch.centres(); k++) {
    difference = std::fmax(difference, std::fabs(energy[0][k] - energy[1][k]));
    size = std::fmax(size, std::fabs(energy[0][k]));
  }
  return difference > 1e-5 * size;    // more than rounding in single precision
}

void GraceCalls::forward_1(const BondBatch &batch, std::vector<std::vector<double>> &value)
{
  fill(*forward1, batch, true);
  forward1->run();
  value.resize(layer_messages.size());
  for (size_t m = 0; m < layer_messages.size(); m++) {
    value[m].resize(batch.centres() * layer_messages[m].width);
    forward1->output(layer_messages[m].name).read(value[m].data(), value[m].size(), 0);
  }
}

namespace {

// A message in padded layout: centres, padding, far atoms, padding
void write_message(tf::Call &call, const Signature &layer, const std::string &input,
                   const Message &message, const std::vector<double> &value, size_t centres,
                   int64_t padded_centres, int64_t padded_all)
{
  if (!call.wants(input)) return;
  const int64_t atoms = message.far ? padded_all : padded_centres;
  tf::Tensor &to = call.input(input, padded_dims(layer.inputs.at(input), atoms));
  const std::vector<double> zeros(to.count(), 0.0);
  to.write(zeros.data(), zeros.size(), 0);
  const size_t near = centres * message.width;
  to.write(value.data(), near, 0);
  if (message.far && value.size() > near)
    to.write(value.data() + near, value.size() - near, size_t(padded_centres) * message.width);
}

}    // namespace

void GraceCalls::backward_2(const BondBatch &batch, const std::vector<std::vector<double>> &value,
                            std::vector<double> &energy, std::vector<double> &force,
                            std::vector<std::vector<double>> &gradient)
{
  const int64_t centres = fill(*backward2, batch, true), all = centres + far_room.size();
  const Signature &sig = session->signature(LAYERS[1]);
  for (size_t m = 0; m < layer_messages.size(); m++) {
    const Message &message = layer_messages[m];
    write_message(*backward2, sig, message.name, message, value[m], batch.centres(), centres, all);
  }
  backward2->run();
  energy.resize(batch.centres());
  force.resize(3 * batch.bonds());
  backward2->output(ENERGY).read(energy.data(), energy.size(), 0);
  backward2->output(GRADIENT + "bond_vector").read(force.data(), force.size(), 0);
  for (double &f : force) f = -f;
  gradient.resize(layer_messages.size());
  for (size_t m = 0; m < layer_messages.size(); m++) {
    const Message &message = layer_messages[m];
    const size_t near = batch.centres() * message.width;
    const tf::Tensor &out = backward2->output(GRADIENT + message.name);
    gradient[m].resize(value[m].size());
    out.read(gradient[m].data(), near, 0);
    if (message.far)
      out.read(gradient[m].data() + near, gradient[m].size() - near,
               size_t(centres) * message.width);
  }
}

void GraceCalls::backward_1(const BondBatch &batch,
                            const std::vector<std::vector<double>> &gradient,
                            std::vector<double> &force)
{
  const int64_t centres = fill(*backward1, batch, true);
  const Signature &sig = session->signature(LAYERS[2]);
  for (size_t m = 0; m < layer_messages.size(); m++) {
    Message near = layer_messages[m];
    near.far = false;
    write_message(*backward1, sig, GRADIENT + near.name, near, gradient[m], batch.centres(),
                  centres, centres);
  }
  backward1->run();
  force.resize(3 * batch.bonds());
  backward1->output(GRADIENT + "bond_vector").read(force.data(), force.size(), 0);
  for (double &f : force) f = -f;
}
