#include <ATen/ATen.h>

#include <deque>
#include <utility>
#include <vector>

#include "core/errors.hpp"
#include "objective/contrast.hpp"
#include "objective/key_queue.hpp"
#include "tests/support/error_of.hpp"

#include "tests/support/catch.hpp"  // last: LibTorch has a CHECK too

using namespace invaria;
using namespace invaria::objective;

namespace {

/// Keys that say which they are: key k is (k, -k).
at::Tensor keys(int64_t first, int64_t n) {
  const at::Tensor values = at::arange(first, first + n, at::kFloat);
  return at::stack({values, -values}, 1);
}

at::Tensor pictures(int64_t first, int64_t n) {
  return at::arange(first, first + n, at::kLong);
}

}  // namespace

TEST_CASE("the ring holds the latest keys and their pictures, whether or not a batch divides it",
          "[objective][oracle]") {
  const int64_t size = GENERATE(5, 6, 7, 12);
  const int64_t batch = GENERATE(1, 3, 5);
  KeyQueue queue(size, 2, {});
  std::deque<float> latest;
  for (int64_t first = 0; first < 40; first += batch) {
    queue.push(keys(first, batch), pictures(100 + first, batch));
    for (int64_t key = first; key < first + batch; ++key) latest.push_back(static_cast<float>(key));
    while (static_cast<int64_t>(latest.size()) > size) latest.pop_front();
    if (static_cast<int64_t>(latest.size()) < size) continue;
    // In any order of places: which key is where matters to nobody, which picture is with which key does.
    const at::Tensor held = std::get<0>(queue.keys().select(1, 0).sort());
    CHECK(at::equal(held, at::tensor(std::vector<float>(latest.begin(), latest.end()))));
    CHECK(at::equal(queue.keys().select(1, 0).to(at::kLong) + 100, queue.pictures()));
    CHECK(at::equal(queue.keys().select(1, 0), -queue.keys().select(1, 1)));
  }
}

TEST_CASE("a fresh queue holds random unit vectors of its own that belong to no picture", "[objective]") {
  const KeyQueue queue(200, 8, {.seed = 1, .index = 0});
  CHECK(at::allclose(at::linalg_vector_norm(queue.keys(), 2, {1}), at::ones({200})));
  CHECK(queue.keys().mean(0).abs().max().item<float>() < 0.15F);
  CHECK((queue.pictures() == -1).all().item<bool>());
  CHECK_FALSE(queue.own_keys(pictures(0, 3)).any().item<bool>());
  CHECK(at::equal(queue.keys(), KeyQueue(200, 8, {.seed = 1, .index = 0}).keys()));
  CHECK_FALSE(at::equal(queue.keys(), KeyQueue(200, 8, {.seed = 1, .index = 1}).keys()));
  CHECK_FALSE(at::equal(queue.keys(), KeyQueue(200, 8, {.seed = 2, .index = 0}).keys()));
}

TEST_CASE("a picture's own keys are found, all of them and no others", "[objective]") {
  KeyQueue queue(6, 2, {});
  queue.push(keys(0, 3), at::tensor(std::vector<int64_t>{7, 8, 7}));
  const at::Tensor own = queue.own_keys(at::tensor(std::vector<int64_t>{7, 9}));
  for (int64_t place = 0; place < 6; ++place) {
    CHECK(own[0][place].item<bool>() == (queue.pictures()[place].item<int64_t>() == 7));
    CHECK_FALSE(own[1][place].item<bool>());
  }
  CHECK(own.sum().item<int64_t>() == 2);
}

TEST_CASE("a queue that was saved and loaded continues at the same place", "[objective][property]") {
  KeyQueue straight(7, 2, {});
  straight.push(keys(0, 5), pictures(0, 5));
  KeyQueue resumed(7, 2, {.seed = 9});
  resumed.load_state(straight.state());
  straight.push(keys(5, 5), pictures(5, 5));
  CHECK_FALSE(at::equal(resumed.keys(), straight.keys()));  // it took copies
  resumed.push(keys(5, 5), pictures(5, 5));
  CHECK(at::equal(resumed.keys(), straight.keys()));
  CHECK(at::equal(resumed.pictures(), straight.pictures()));
}

TEST_CASE("a queue refuses what does not fit it", "[objective]") {
  KeyQueue queue(4, 2, {});
  CHECK_THROWS_AS(queue.push(keys(0, 5), pictures(0, 5)), PreconditionError);
  CHECK_THROWS_AS(queue.push(keys(0, 3), pictures(0, 2)), PreconditionError);
  CHECK_THROWS_AS(queue.push(at::ones({2, 3}), pictures(0, 2)), PreconditionError);
  const auto refusal = [&](const char* name, const at::Tensor& value) {
    auto state = queue.state();
    if (value.defined()) {
      state[name] = value;
    } else {
      state.erase(name);
    }
    return error_of([&] { queue.load_state(state); });
  };
  CHECK(refusal("keys", at::ones({4, 3})).find("keys") != std::string::npos);
  CHECK(refusal("pictures", {}).find("pictures") != std::string::npos);
  CHECK(refusal("next", at::scalar_tensor(4, at::kLong)).find("next") != std::string::npos);
  CHECK(refusal("more", at::ones({1})).find("more") != std::string::npos);
}
