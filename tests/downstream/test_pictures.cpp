#include "downstream/pictures.hpp"

#include <ATen/ATen.h>

#include <numeric>

#include "tests/downstream/made.hpp"
#include "tests/support/catch.hpp"

using namespace invaria;
using namespace invaria::downstream;

namespace {

Pictures stored_pictures(const data::DataSplit& split) {
  std::vector<int64_t> all(static_cast<size_t>(split.n));
  std::iota(all.begin(), all.end(), 0);
  augment::ViewSettings views;
  views.view_size = 8;
  return clean_views(split, all, views);
}

}  // namespace

TEST_CASE("pictures that are rendered when asked for are those that are held", "[downstream]") {
  const data::DataSplit split = made_split(4, 6, 3);
  const Pictures stored = stored_pictures(split);
  const at::Tensor all_BCHW = stored.all();
  CHECK(all_BCHW.sizes() == at::IntArrayRef({24, 3, 8, 8}));
  const Pictures held(all_BCHW);
  const at::Tensor rows_B = at::tensor({7, 2, 2, 19}, at::kLong);
  for (const Pictures& pictures : {stored, held}) {
    CHECK(at::equal(pictures.at(rows_B), all_BCHW.index_select(0, rows_B)));
    CHECK(at::equal(pictures.range(5, 3), all_BCHW.narrow(0, 5, 3)));
    const Pictures some = pictures.subset(rows_B);
    CHECK(some.size() == 4);
    CHECK(at::equal(some.range(1, 3), all_BCHW.index_select(0, rows_B.narrow(0, 1, 3))));
    CHECK(at::equal(some.subset(at::tensor({3, 0}, at::kLong)).all(),
                    all_BCHW.index_select(0, at::tensor({19, 7}, at::kLong))));
  }
}

TEST_CASE("pictures of a task rendered on CUDA are those of the CPU", "[downstream][cuda]") {
  if (!at::hasCUDA()) INVARIA_SKIP("no GPU on this machine");
  const data::DataSplit split = made_split(4, 6, 3);
  const Pictures stored = stored_pictures(split);
  const c10::Device device(c10::kCUDA, 0);
  for (const Pictures& pictures : {stored, Pictures(stored.all())}) {
    const at::Tensor there = pictures.range(3, 9, device);
    CHECK(there.device() == device);
    CHECK(at::allclose(there.cpu(), pictures.range(3, 9), 0, 1e-4));
  }
}
