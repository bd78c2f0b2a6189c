#include "train/tensor_file.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstring>

#include "core/errors.hpp"

namespace invaria::train {
namespace {

io::DType dtype_of(const at::Tensor& tensor, const std::string& name) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return io::DType::kF32;
    case at::kDouble:
      return io::DType::kF64;
    case at::kLong:
      return io::DType::kI64;
    case at::kByte:
      return io::DType::kU8;
    default:
      throw PreconditionError(
          fmt::format("{} has a type that is not stored: {}", name, c10::toString(tensor.scalar_type())));
  }
}

at::ScalarType scalar_type_of(io::DType dtype) {
  switch (dtype) {
    case io::DType::kF32:
      return at::kFloat;
    case io::DType::kF64:
      return at::kDouble;
    case io::DType::kF16:
      return at::kHalf;
    case io::DType::kBF16:
      return at::kBFloat16;
    case io::DType::kI64:
      return at::kLong;
    case io::DType::kU8:
      return at::kByte;
  }
  throw PreconditionError("safetensors: an unknown type");
}

}  // namespace

io::TensorView view_of(const std::string& name, const at::Tensor& tensor) {
  require(tensor.is_contiguous() && tensor.is_cpu(), "{}: not a contiguous tensor on the CPU", name);
  return {name, tensor.sizes().vec(), dtype_of(tensor, name),
          std::span(static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes())};
}

at::Tensor copy_of(const io::TensorView& view) {
  at::Tensor tensor = at::empty(view.shape, at::TensorOptions(scalar_type_of(view.dtype)));
  if (!view.bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor;
}

void write_tensors(const io::fs::path& path, const model::StateDict& tensors,
                   const std::map<std::string, std::string>& metadata) {
  model::StateDict kept;  // alive until they are written
  std::vector<io::TensorView> views;
  for (const auto& [name, tensor] : tensors) {
    views.push_back(view_of(name, kept.emplace(name, tensor.detach().cpu().contiguous()).first->second));
  }
  io::write_safetensors(path, views, metadata);
}

model::StateDict read_tensors(const io::fs::path& path) {
  const io::SafetensorsFile file(path);
  model::StateDict tensors;
  for (const std::string& name : file.names()) tensors[name] = copy_of(file.view(name));
  return tensors;
}

}  // namespace invaria::train
