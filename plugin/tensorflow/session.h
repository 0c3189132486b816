// A SavedModel in memory, and calls of its signatures.

#ifndef SMAX_TF_SESSION_H
#define SMAX_TF_SESSION_H

#include "saved_model.h"
#include "tensor.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace smax {
namespace tf {

// Throws std::runtime_error with what TensorFlow says.
class Session {
 public:
  // Signatures asked for must be there: told before TensorFlow is loaded.
  Session(const std::string &folder, const std::vector<std::string> &needed, int threads);
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  const SavedModel &model() const { return saved; }
  bool has(const std::string &signature) const { return saved.signatures.count(signature) > 0; }
  const Signature &signature(const std::string &name) const;    // names those that are there

  // One run of the graph
  void run(const std::vector<Output> &inputs, const std::vector<CTensor *> &values,
           const std::vector<Output> &outputs, std::vector<CTensor *> &results) const;
  Output node(const TensorSpec &spec) const;

 private:
  std::string folder;
  SavedModel saved;
  Graph *graph = nullptr;
  CSession *session = nullptr;
};

// A signature with its input tensors, kept from call to call, and the outputs that are wanted.
class Call {
 public:
  Call(std::shared_ptr<const Session> session, const std::string &signature,
       const std::vector<std::string> &outputs);

  bool wants(const std::string &input) const { return slots.count(input) > 0; }
  // The input with these dimensions; new memory, values not set, if they have changed.
  Tensor &input(const std::string &name, const std::vector<int64_t> &dims);
  void run();
  const Tensor &output(const std::string &name) const;
  double seconds() const { return spent; }              // in TensorFlow
  size_t sizes() const { return sizes_seen.size(); }    // XLA compiles once for each

 private:
  struct Slot {
    Output node;
    int dtype;
    std::vector<int64_t> dims;
    Tensor tensor;
  };
  std::shared_ptr<const Session> session;
  std::string name;
  std::map<std::string, Slot> slots;
  std::vector<std::string> wanted;
  std::vector<Output> out_nodes;
  std::vector<Tensor> results;
  double spent = 0.0;
  std::set<std::vector<int64_t>> sizes_seen;
};

}    // namespace tf
}    // namespace smax

#endif
