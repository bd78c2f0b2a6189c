#include "data/picture_source.hpp"

#include <map>
#include <utility>

#include "data/parallel.hpp"

namespace invaria::data {
namespace {

class PicturesInMemory : public PictureSource {
 public:
  PicturesInMemory(std::shared_ptr<const std::byte> pixels, int64_t picture_bytes)
      : pixels_(std::move(pixels)), picture_bytes_(picture_bytes) {}
  PicturePixels picture(int64_t place) const override {
    return {pixels_, reinterpret_cast<const uint8_t*>(pixels_.get()) + place * picture_bytes_};
  }

 private:
  std::shared_ptr<const std::byte> pixels_;
  int64_t picture_bytes_;
};

}  // namespace

std::shared_ptr<const PictureSource> pictures_in_memory(std::shared_ptr<const std::byte> pixels,
                                                        int64_t picture_bytes) {
  return std::make_shared<PicturesInMemory>(std::move(pixels), picture_bytes);
}

HeldPictures hold(std::span<const PictureRef> wanted, int threads) {
  HeldPictures held;
  held.holders.resize(wanted.size());
  std::map<std::pair<const PictureSource*, int64_t>, size_t> first;  // where each picture to decode is first wanted
  std::vector<size_t> to_decode;
  for (size_t n = 0; n < wanted.size(); ++n) {
    if (!wanted[n].source->decodes()) {
      held.holders[n] = wanted[n].picture();
    } else if (first.try_emplace({wanted[n].source.get(), wanted[n].place}, n).second) {
      to_decode.push_back(n);
    }
  }
  parallel_for(std::ssize(to_decode), threads, [&](int64_t k) {
    const size_t n = to_decode[static_cast<size_t>(k)];
    held.holders[n] = wanted[n].picture();
  });
  for (size_t n = 0; n < wanted.size(); ++n) {
    if (!held.holders[n]) held.holders[n] = held.holders[first.at({wanted[n].source.get(), wanted[n].place})];
    held.pixels.push_back(held.holders[n].get());
  }
  return held;
}

}  // namespace invaria::data
