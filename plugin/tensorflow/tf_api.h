// TensorFlow's C API as a table of function pointers, filled from a library that is loaded at run
// time: its symbols stay out of the process (RTLD_LOCAL), so a TensorFlow or SciPy that Python
// imports later does not meet them.

#ifndef SMAX_TF_API_H
#define SMAX_TF_API_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace smax {
namespace tf {

// Opaque types and the few plain ones of the C API
struct Status;
struct Graph;
struct SessionOptions;
struct CSession;
struct CTensor;
struct Operation;
struct Buffer;
struct Output {
  Operation *operation;
  int index;
};

enum DataType : int { FLOAT32 = 1, FLOAT64 = 2, INT32 = 3 };

struct Api {
  const char *(*Version)();
  Status *(*NewStatus)();
  void (*DeleteStatus)(Status *);
  int (*GetCode)(const Status *);
  const char *(*Message)(const Status *);
  SessionOptions *(*NewSessionOptions)();
  void (*SetConfig)(SessionOptions *, const void *, size_t, Status *);
  void (*DeleteSessionOptions)(SessionOptions *);
  Graph *(*NewGraph)();
  void (*DeleteGraph)(Graph *);
  Operation *(*GraphOperationByName)(Graph *, const char *);
  int (*OperationNumOutputs)(Operation *);
  CSession *(*LoadSessionFromSavedModel)(const SessionOptions *, const Buffer *, const char *,
                                         const char *const *, int, Graph *, Buffer *, Status *);
  void (*CloseSession)(CSession *, Status *);
  void (*DeleteSession)(CSession *, Status *);
  void (*SessionRun)(CSession *, const Buffer *, const Output *, CTensor *const *, int,
                     const Output *, CTensor **, int, const Operation *const *, int, Buffer *,
                     Status *);
  CTensor *(*AllocateTensor)(int, const int64_t *, int, size_t);
  void (*DeleteTensor)(CTensor *);
  void *(*TensorData)(const CTensor *);
  size_t (*TensorByteSize)(const CTensor *);
  int (*TensorType)(const CTensor *);

  std::string library;    // the file it comes from
};

// Loads the library once in the life of the process and keeps it; later calls give the same table.
// Throws std::runtime_error that names where it looked and what to do.
const Api &api();

}    // namespace tf
}    // namespace smax

#endif
