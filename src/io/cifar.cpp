#include "io/cifar.hpp"

#include "core/errors.hpp"

namespace invaria::io {

CifarBatch read_cifar(std::string_view bytes, CifarKind kind, const std::string& name) {
  constexpr size_t kPlane = static_cast<size_t>(kCifarSide * kCifarSide);
  const size_t label_bytes = kind == CifarKind::kCifar10 ? 1 : 2;
  const int64_t n_classes = kind == CifarKind::kCifar10 ? 10 : 100;
  const size_t record_bytes = label_bytes + 3 * kPlane;
  if (bytes.empty() || bytes.size() % record_bytes != 0) {
    throw_config("{}: {} bytes, expected a whole number of records of {} bytes", name, bytes.size(), record_bytes);
  }
  CifarBatch batch;
  batch.count = static_cast<int64_t>(bytes.size() / record_bytes);
  batch.pixels.reserve(static_cast<size_t>(batch.count) * 3 * kPlane);
  for (int64_t n = 0; n < batch.count; ++n) {
    const std::string_view record = bytes.substr(static_cast<size_t>(n) * record_bytes, record_bytes);
    const int64_t label = static_cast<uint8_t>(record[label_bytes - 1]);
    if (label >= n_classes) throw_config("{}: record {}: label {}, expected less than {}", name, n, label, n_classes);
    batch.labels.push_back(label);
    const std::string_view planes = record.substr(label_bytes);
    for (size_t pixel = 0; pixel < kPlane; ++pixel) {
      for (size_t channel = 0; channel < 3; ++channel) {
        batch.pixels.push_back(static_cast<uint8_t>(planes[channel * kPlane + pixel]));
      }
    }
  }
  return batch;
}

}  // namespace invaria::io
