#include "downstream/pictures.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/errors.hpp"

namespace invaria::downstream {

Pictures::Pictures(at::Tensor images_BCHW)
    : images_BCHW_(std::move(images_BCHW)), size_(images_BCHW_.defined() ? images_BCHW_.size(0) : 0) {}

Pictures::Pictures(std::shared_ptr<const StoredSamples> stored, const augment::ViewSettings& views)
    : stored_(std::move(stored)),
      views_(augment::make_views(views, stored_->shape)),
      size_(std::ssize(stored_->samples)) {}

at::Tensor Pictures::at(const at::Tensor& index_B, c10::Device device) const {
  const at::Tensor behind_B = rows_B_.defined() ? rows_B_.index_select(0, index_B) : index_B;
  if (images_BCHW_.defined()) return images_BCHW_.index_select(0, behind_B).to(device);
  require(stored_ != nullptr, "Pictures: none are here, {} were asked for", index_B.size(0));
  std::vector<data::SampleRef> wanted;
  const at::Tensor rows_B = behind_B.contiguous();
  for (int64_t k = 0; k < rows_B.size(0); ++k)
    wanted.push_back(stored_->samples.at(static_cast<size_t>(rows_B.const_data_ptr<int64_t>()[k])));
  const data::HeldSamples held = data::hold(wanted, at::get_num_threads());
  return views_->begin(held.bytes, std::vector<augment::Parameters>(wanted.size(), views_->plain()), device)();
}

at::Tensor Pictures::range(int64_t first, int64_t count, c10::Device device) const {
  if (images_BCHW_.defined() && !rows_B_.defined()) return images_BCHW_.narrow(0, first, count).to(device);
  return at(at::arange(first, first + count, at::kLong), device);
}

Pictures Pictures::subset(const at::Tensor& rows_B) const {
  Pictures some = *this;
  some.rows_B_ = rows_B_.defined() ? rows_B_.index_select(0, rows_B) : rows_B;
  some.size_ = rows_B.size(0);
  return some;
}

}  // namespace invaria::downstream
