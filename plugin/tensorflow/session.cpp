#include "session.h"

#include <chrono>
#include <stdexcept>

using namespace smax;

namespace {

// A status of one call of the C API; check() throws what it says.
class Check {
 public:
  Check() : status(tf::api().NewStatus()) {}
  ~Check() { tf::api().DeleteStatus(status); }
  Check(const Check &) = delete;
  Check &operator=(const Check &) = delete;
  operator tf::Status *() { return status; }
  void check(const std::string &what) const
  {
    if (tf::api().GetCode(status) == 0) return;
    std::string said = tf::api().Message(status);
    said = said.substr(0, said.find('\n'));
    constexpr size_t LONGEST = 400;
    if (said.size() > LONGEST) said = said.substr(0, LONGEST) + " ...";
    throw std::runtime_error(what + ": TensorFlow " + tf::api().Version() + " says: " + said);
  }

 private:
  tf::Status *status;
};

// ConfigProto: threads of one operation and of operations side by side; memory of a GPU as needed
std::string session_config(int threads)
{
  const char n = char(threads);    // at most 127: one byte of a varint
  std::string proto = {0x10, n, 0x28, n, 0x48, 0x01};
  proto += {0x32, 0x02, 0x20, 0x01};
  return proto;
}

std::string listed(const std::map<std::string, Signature> &signatures)
{
  std::string names;
  for (const auto &s : signatures)
    if (s.first[0] != '_') names += (names.empty() ? "" : ", ") + s.first;
  return names;
}

}    // namespace

tf::Session::Session(const std::string &f, const std::vector<std::string> &needed, int threads) :
    folder(f), saved(read_saved_model(f))
{
  for (const auto &name : needed) signature(name);
  const Api &t = api();
  Check status;
  SessionOptions *options = t.NewSessionOptions();
  const std::string config = session_config(threads);
  t.SetConfig(options, config.data(), config.size(), status);
  graph = t.NewGraph();
  const char *tag = "serve";
  if (t.GetCode(status) == 0)
    session = t.LoadSessionFromSavedModel(options, nullptr, folder.c_str(), &tag, 1, graph, nullptr,
                                          status);
  t.DeleteSessionOptions(options);
  try {
    status.check("cannot load the model '" + folder + "'");
  } catch (...) {
    t.DeleteGraph(graph);    // the destructor does not run
    throw;
  }
}

tf::Session::~Session()
{
  Check status;
  api().CloseSession(session, status);
  api().DeleteSession(session, status);
  api().DeleteGraph(graph);
}

const Signature &tf::Session::signature(const std::string &name) const
{
  const auto it = saved.signatures.find(name);
  if (it == saved.signatures.end())
    throw std::runtime_error("model '" + folder + "' has no signature " + name + " (found " +
                             listed(saved.signatures) + ")");
  return it->second;
}

tf::Output tf::Session::node(const TensorSpec &spec) const
{
  Operation *operation = api().GraphOperationByName(graph, spec.operation().c_str());
  if (!operation || spec.index() < 0 || spec.index() >= api().OperationNumOutputs(operation))
    throw std::runtime_error("model '" + folder + "' has no tensor '" + spec.tensor +
                             "', though its signatures name it");
  return {operation, spec.index()};
}

void tf::Session::run(const std::vector<Output> &inputs, const std::vector<CTensor *> &values,
                      const std::vector<Output> &outputs, std::vector<CTensor *> &results) const
{
  Check status;
  results.assign(outputs.size(), nullptr);
  api().SessionRun(session, nullptr, inputs.data(), values.data(), int(inputs.size()),
                   outputs.data(), results.data(), int(outputs.size()), nullptr, 0, nullptr,
                   status);
  status.check("the model failed");
}

tf::Call::Call(std::shared_ptr<const Session> s, const std::string &signature,
               const std::vector<std::string> &outputs) :
    session(std::move(s)), name(signature), wanted(outputs)
{
  const Signature &sig = session->signature(signature);
  for (const auto &entry : sig.inputs) {
    Slot slot{session->node(entry.second), entry.second.dtype, {}, {}};
    bytes_of(slot.dtype);    // refuses other types
    slots.emplace(entry.first, std::move(slot));
  }
  for (const std::string &out : outputs) {
    const auto it = sig.outputs.find(out);
    if (it == sig.outputs.end())
      throw std::runtime_error("signature " + signature + " of the model has no output " + out);
    out_nodes.push_back(session->node(it->second));
  }
}

tf::Tensor &tf::Call::input(const std::string &key, const std::vector<int64_t> &dims)
{
  const auto it = slots.find(key);
  if (it == slots.end())
    throw std::runtime_error("signature " + name + " of the model has no input " + key);
  Slot &slot = it->second;
  if (!slot.tensor.get() || slot.dims != dims) {
    slot.tensor = Tensor(slot.dtype, dims);
    slot.dims = dims;
  }
  return slot.tensor;
}

void tf::Call::run()
{
  std::vector<Output> nodes;
  std::vector<CTensor *> values;
  std::vector<int64_t> size;
  for (const auto &entry : slots) {
    if (!entry.second.tensor.get())
      throw std::runtime_error("signature " + name + " of the model asks for input " + entry.first +
                               ", which this pair style does not know");
    nodes.push_back(entry.second.node);
    values.push_back(entry.second.tensor.get());
    size.insert(size.end(), entry.second.dims.begin(), entry.second.dims.end());
  }
  sizes_seen.insert(size);
  std::vector<CTensor *> raw;
  const auto start = std::chrono::steady_clock::now();
  session->run(nodes, values, out_nodes, raw);
  spent += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  results.clear();
  for (CTensor *r : raw) results.emplace_back(r);
}

const tf::Tensor &tf::Call::output(const std::string &key) const
{
  for (size_t k = 0; k < wanted.size(); k++)
    if (wanted[k] == key && k < results.size()) return results[k];
  throw std::logic_error("output " + key + " was not asked for");
}
