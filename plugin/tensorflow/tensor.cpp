#include "tensor.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

using namespace smax;

size_t tf::bytes_of(int dtype)
{
  if (dtype == FLOAT64) return 8;
  if (dtype == FLOAT32 || dtype == INT32) return 4;
  throw std::runtime_error("found a tensor of TensorFlow type " + std::to_string(dtype) +
                           ", expected float32, float64 or int32");
}

tf::Tensor::Tensor(int dtype, const std::vector<int64_t> &dims)
{
  size_t n = bytes_of(dtype);
  for (const int64_t d : dims) n *= size_t(d);
  tensor = api().AllocateTensor(dtype, dims.data(), int(dims.size()), n);
  if (!tensor)
    throw std::runtime_error("TensorFlow cannot allocate " + std::to_string(n) + " bytes");
}

tf::Tensor::~Tensor()
{
  if (tensor) api().DeleteTensor(tensor);
}

tf::Tensor::Tensor(Tensor &&other) noexcept : tensor(std::exchange(other.tensor, nullptr)) {}

tf::Tensor &tf::Tensor::operator=(Tensor &&other) noexcept
{
  std::swap(tensor, other.tensor);
  return *this;
}

void *tf::Tensor::data() const
{
  return api().TensorData(tensor);
}

int tf::Tensor::dtype() const
{
  return api().TensorType(tensor);
}

size_t tf::Tensor::count() const
{
  return api().TensorByteSize(tensor) / bytes_of(dtype());
}

void tf::Tensor::write(const double *values, size_t n, size_t offset)
{
  if (offset + n > count()) throw std::logic_error("write beyond a tensor");
  if (dtype() == FLOAT64)
    std::copy(values, values + n, static_cast<double *>(data()) + offset);
  else if (dtype() == FLOAT32)
    std::copy(values, values + n, static_cast<float *>(data()) + offset);
  else
    throw std::logic_error("real values for a tensor of integers");
}

void tf::Tensor::read(double *values, size_t n, size_t offset) const
{
  if (offset + n > count())
    throw std::runtime_error("the model returned " + std::to_string(count()) +
                             " values, expected at least " + std::to_string(offset + n));
  if (dtype() == FLOAT64) {
    const auto *from = static_cast<const double *>(data()) + offset;
    std::copy(from, from + n, values);
  } else if (dtype() == FLOAT32) {
    const auto *from = static_cast<const float *>(data()) + offset;
    std::copy(from, from + n, values);
  } else {
    throw std::runtime_error("the model returned integers, expected real values");
  }
}

int32_t *tf::Tensor::integers() const
{
  if (dtype() != INT32) throw std::logic_error("integers for a tensor of real values");
  return static_cast<int32_t *>(data());
}
