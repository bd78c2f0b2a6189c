#include "downstream/pictures.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "augment/render.hpp"
#include "core/errors.hpp"

namespace invaria::downstream {

Pictures::Pictures(at::Tensor images_BCHW)
    : images_BCHW_(std::move(images_BCHW)), size_(images_BCHW_.defined() ? images_BCHW_.size(0) : 0) {}

Pictures::Pictures(std::shared_ptr<const StoredPictures> stored, const augment::AugmentSettings& normalise,
                   int64_t view_size)
    : stored_(std::move(stored)), normalise_(normalise), view_size_(view_size), size_(std::ssize(stored_->pictures)) {}

at::Tensor Pictures::at(const at::Tensor& index_B) const {
  const at::Tensor behind_B = rows_B_.defined() ? rows_B_.index_select(0, index_B) : index_B;
  if (images_BCHW_.defined()) return images_BCHW_.index_select(0, behind_B);
  require(stored_ != nullptr, "Pictures: none are here, {} were asked for", index_B.size(0));
  std::vector<data::PictureRef> wanted;
  const at::Tensor rows_B = behind_B.contiguous();
  for (int64_t k = 0; k < rows_B.size(0); ++k)
    wanted.push_back(stored_->pictures.at(static_cast<size_t>(rows_B.const_data_ptr<int64_t>()[k])));
  const data::HeldPictures held = data::hold(wanted, at::get_num_threads());
  augment::ViewParameters whole = augment::whole_frame(stored_->height, stored_->width);
  whole.framing = normalise_.whole_image;
  return augment::render_views({held.pixels, stored_->height, stored_->width},
                               std::vector<augment::ViewParameters>(wanted.size(), whole), view_size_, normalise_);
}

at::Tensor Pictures::range(int64_t first, int64_t count) const {
  if (images_BCHW_.defined() && !rows_B_.defined()) return images_BCHW_.narrow(0, first, count);
  return at(at::arange(first, first + count, at::kLong));
}

Pictures Pictures::subset(const at::Tensor& rows_B) const {
  Pictures some = *this;
  some.rows_B_ = rows_B_.defined() ? rows_B_.index_select(0, rows_B) : rows_B;
  some.size_ = rows_B.size(0);
  return some;
}

}  // namespace invaria::downstream
