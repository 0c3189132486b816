// Signatures of a SavedModel, read from saved_model.pb without TensorFlow.

#ifndef SMAX_SAVED_MODEL_H
#define SMAX_SAVED_MODEL_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace smax {

struct TensorSpec {
  std::string tensor;           // name in the graph: "operation:output"
  int dtype = 0;                // TensorFlow's number: 1 float32, 2 float64, 3 int32
  std::vector<int64_t> dims;    // -1: unknown

  std::string operation() const;    // before the colon
  int index() const;                // after it
};

struct Signature {
  std::map<std::string, TensorSpec> inputs, outputs;
};

struct SavedModel {
  std::map<std::string, Signature> signatures;
  std::string version;    // of the TensorFlow that wrote it
};

// The graph with tag "serve". Throws std::runtime_error if the bytes are no such model.
SavedModel parse_saved_model(const std::string &bytes);

// Reads <folder>/saved_model.pb; the error names the file.
SavedModel read_saved_model(const std::string &folder);

}    // namespace smax

#endif
