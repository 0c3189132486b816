// A tensor of TensorFlow's own allocation, owned.

#ifndef SMAX_TENSOR_H
#define SMAX_TENSOR_H

#include "tf_api.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace smax {
namespace tf {

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(CTensor *taken) : tensor(taken) {}
  Tensor(int dtype, const std::vector<int64_t> &dims);    // values are not set
  ~Tensor();
  Tensor(Tensor &&other) noexcept;
  Tensor &operator=(Tensor &&other) noexcept;
  Tensor(const Tensor &) = delete;
  Tensor &operator=(const Tensor &) = delete;

  CTensor *get() const { return tensor; }
  void *data() const;
  int dtype() const;
  size_t count() const;    // of values

  // Single and double precision alike: n values at offset, counted in values
  void write(const double *values, size_t n, size_t offset);
  void read(double *values, size_t n, size_t offset) const;
  int32_t *integers() const;

 private:
  CTensor *tensor = nullptr;
};

size_t bytes_of(int dtype);

}    // namespace tf
}    // namespace smax

#endif
