#include "bench/made.hpp"

#include <ATen/ATen.h>

#include <string_view>

#include "core/philox.hpp"
#include "io/files.hpp"

namespace invaria::bench {

at::Tensor normals(at::IntArrayRef shape, uint64_t sample) {
  at::Tensor values = at::empty(shape, at::kDouble);
  Draws draws({.purpose = Purpose::kSynthetic, .sample = sample});
  double* value = values.mutable_data_ptr<double>();
  for (int64_t n = 0; n < values.numel(); ++n) value[n] = draws.normal();
  return values;
}

void write_values(const std::filesystem::path& file, const at::Tensor& values) {
  const at::Tensor whole = values.cpu().contiguous();
  io::write_file_atomically(file, std::string_view(static_cast<const char*>(whole.const_data_ptr()), whole.nbytes()));
}

model::EncoderSettings resnet18(int64_t width) {
  model::EncoderSettings settings;
  settings.width = width;
  settings.stem_stride = 1;
  return settings;
}

}  // namespace invaria::bench
