#include "data/sample_source.hpp"

#include <map>
#include <utility>

#include "data/parallel.hpp"

namespace invaria::data {
namespace {

class SamplesInMemory : public SampleSource {
 public:
  SamplesInMemory(std::shared_ptr<const std::byte> bytes, int64_t sample_bytes)
      : bytes_(std::move(bytes)), sample_bytes_(sample_bytes) {}
  SampleBytes sample(int64_t place) const override {
    return {bytes_, reinterpret_cast<const uint8_t*>(bytes_.get()) + place * sample_bytes_};
  }

 private:
  std::shared_ptr<const std::byte> bytes_;
  int64_t sample_bytes_;
};

}  // namespace

std::shared_ptr<const SampleSource> samples_in_memory(std::shared_ptr<const std::byte> bytes, int64_t sample_bytes) {
  return std::make_shared<SamplesInMemory>(std::move(bytes), sample_bytes);
}

HeldSamples hold(std::span<const SampleRef> wanted, int threads) {
  HeldSamples held;
  held.holders.resize(wanted.size());
  std::map<std::pair<const SampleSource*, int64_t>, size_t> first;  // where each sample to decode is first wanted
  std::vector<size_t> to_decode;
  for (size_t n = 0; n < wanted.size(); ++n) {
    if (!wanted[n].source->decodes()) {
      held.holders[n] = wanted[n].sample();
    } else if (first.try_emplace({wanted[n].source.get(), wanted[n].place}, n).second) {
      to_decode.push_back(n);
    }
  }
  parallel_for(std::ssize(to_decode), threads, [&](int64_t k) {
    const size_t n = to_decode[static_cast<size_t>(k)];
    held.holders[n] = wanted[n].sample();
  });
  for (size_t n = 0; n < wanted.size(); ++n) {
    if (!held.holders[n]) held.holders[n] = held.holders[first.at({wanted[n].source.get(), wanted[n].place})];
    held.bytes.push_back(held.holders[n].get());
  }
  return held;
}

}  // namespace invaria::data
